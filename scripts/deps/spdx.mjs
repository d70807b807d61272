// SPDX licence expressions (SPDX 2.3, annex D): is there a way to use a package with only the licences allowed?

/**
 * Whether `expression` can be satisfied with the `allowed` licences. `A OR B` needs one of them, `A AND B` both, and
 * `A WITH E` counts as allowed where `A WITH E` or `A` is: an exception only ever permits more.
 * Throws on what is no expression.
 */
export function isAllowed(expression, allowed) {
  // crates.io's old way to write OR.
  const words = expression.replaceAll('/', ' OR ').match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const fail = () => {
    throw new Error(`no SPDX expression: ${JSON.stringify(expression)}`);
  };
  const take = (word) => words[at]?.toUpperCase() === word && ++at > 0;

  const either = () => {
    let satisfied = both();
    while (take('OR')) satisfied = both() || satisfied;
    return satisfied;
  };
  const both = () => {
    let satisfied = one();
    while (take('AND')) satisfied = one() && satisfied;
    return satisfied;
  };
  const one = () => {
    if (take('(')) {
      const satisfied = either();
      if (!take(')')) fail();
      return satisfied;
    }
    const licence = name();
    if (!take('WITH')) return allowed.includes(licence);
    return allowed.includes(`${licence} WITH ${name()}`) || allowed.includes(licence);
  };
  const name = () => {
    const word = words[at++];
    if (word === undefined || !/^[A-Za-z0-9.+:-]+$/.test(word) || /^(and|or|with)$/i.test(word)) fail();
    return word;
  };

  const satisfied = either();
  if (at < words.length) fail();
  return satisfied;
}
