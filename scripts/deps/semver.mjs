// Semantic versions as Cargo and RustSec compare them.

const VERSION = /^(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Order of two whole versions: negative, zero or positive (semver 2.0 §11). */
export function compare(left, right) {
  const [a, b] = [parse(left), parse(right)];
  for (let i = 0; i < 3; i++) if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] - b.numbers[i];
  return comparePrerelease(a.prerelease, b.prerelease);
}

/** Whether `version` meets every comma-separated part of `requirement`, such as `>= 1.2, < 2` or `^0.3.1`. */
export function satisfies(version, requirement) {
  return requirement.split(',').every((part) => {
    const [, operator, wanted] = /^\s*(>=|<=|>|<|=|~|\^)?\s*(\S+)\s*$/.exec(part) ?? [];
    if (wanted === undefined) throw new Error(`no version requirement: ${JSON.stringify(requirement)}`);
    return wanted === '*' || meets(version, operator ?? '^', wanted);
  });
}

function meets(version, operator, wanted) {
  const { numbers, given } = parse(wanted);
  const least = compare(version, pad(wanted)) >= 0;
  // The first version beyond all that the wanted one covers: 1.2 covers 1.2.0 to 1.2.x.
  const beyond = given === 3 ? undefined : bump(numbers, given - 1);
  switch (operator) {
    case '>=':
      return least;
    case '<':
      return !least;
    case '>':
      return beyond ? compare(version, beyond) >= 0 : compare(version, pad(wanted)) > 0;
    case '<=':
      return beyond ? compare(version, beyond) < 0 : compare(version, pad(wanted)) <= 0;
    case '=':
      return beyond ? least && compare(version, beyond) < 0 : compare(version, pad(wanted)) === 0;
    case '~':
      return least && compare(version, bump(numbers, Math.min(given, 2) - 1)) < 0;
    default: {
      // Caret: up to the leftmost number that is not zero, among those given.
      const first = numbers.findIndex((number, index) => number > 0 && index < given);
      return least && compare(version, bump(numbers, first < 0 ? given - 1 : first)) < 0;
    }
  }
}

function parse(text) {
  const found = VERSION.exec(text.trim());
  if (!found) throw new Error(`no version: ${JSON.stringify(text)}`);
  const parts = found.slice(1, 4);
  const end = parts.findIndex((part) => part === undefined || /[xX*]/.test(part));
  const given = end < 0 ? 3 : end;
  return { numbers: parts.map((part, index) => (index < given ? Number(part) : 0)), given, prerelease: found[4] };
}

function pad(text) {
  const { numbers, prerelease } = parse(text);
  return numbers.join('.') + (prerelease ? `-${prerelease}` : '');
}

/** The smallest version, pre-releases included, with number `index` one higher. */
function bump(numbers, index) {
  return numbers.map((number, i) => (i < index ? number : i === index ? number + 1 : 0)).join('.') + '-0';
}

function comparePrerelease(left, right) {
  if (left === right) return 0;
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  const [a, b] = [left.split('.'), right.split('.')];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    if (a[i] === undefined) return -1;
    if (b[i] === undefined) return 1;
    const [numeric, otherNumeric] = [/^\d+$/.test(a[i]), /^\d+$/.test(b[i])];
    if (numeric && otherNumeric) return Number(a[i]) - Number(b[i]);
    if (numeric !== otherNumeric) return numeric ? -1 : 1;
    return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}
