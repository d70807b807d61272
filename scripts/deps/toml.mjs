// As much of TOML 1.0 as deny.toml and RustSec advisories are written in: tables, arrays of tables, dotted keys,
// strings of all four kinds, arrays and inline tables. Dates and numbers other than plain integers stay text.
// Anything else is an error with its line, never a guess.

const BARE_KEY = /[A-Za-z0-9_-]+/y;
const BARE_VALUE = /[A-Za-z0-9_+.:-]+/y;
const ESCAPES = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', '"': '"', '\\': '\\' };

/** Parses `text` into plain objects. */
export function parseToml(text) {
  return new Parser(text).document();
}

class Parser {
  constructor(text) {
    this.text = text.replaceAll('\r\n', '\n');
    this.at = 0;
  }

  document() {
    const root = {};
    let table = root;
    for (;;) {
      this.skipSpaceAndLines();
      if (this.at >= this.text.length) return root;
      if (this.take('[[')) {
        const path = this.key();
        this.expect(']]');
        const last = path.pop();
        const list = (this.descend(root, path)[last] ??= []);
        if (!Array.isArray(list)) this.fail(`${last} is no list`);
        list.push((table = {}));
      } else if (this.take('[')) {
        const path = this.key();
        this.expect(']');
        table = this.descend(root, path);
      } else {
        this.pair(table);
      }
      this.endOfLine();
    }
  }

  pair(table) {
    const path = this.key();
    this.expect('=');
    this.skipSpace();
    const last = path.pop();
    const owner = this.descend(table, path);
    if (Object.hasOwn(owner, last)) this.fail(`${last} stands twice`);
    owner[last] = this.value();
  }

  descend(table, path) {
    return path.reduce((owner, name) => {
      const next = (owner[name] ??= {});
      return Array.isArray(next) ? next.at(-1) : next;
    }, table);
  }

  key() {
    const path = [];
    do {
      this.skipSpace();
      path.push(this.peek('"') || this.peek("'") ? this.string() : this.match(BARE_KEY, 'a key'));
      this.skipSpace();
    } while (this.take('.'));
    return path;
  }

  value() {
    if (this.peek('"') || this.peek("'")) return this.string();
    if (this.take('[')) return this.list();
    if (this.take('{')) return this.inlineTable();
    const word = this.match(BARE_VALUE, 'a value');
    if (word === 'true' || word === 'false') return word === 'true';
    return /^[+-]?\d+$/.test(word) ? Number(word) : word;
  }

  list() {
    const values = [];
    for (;;) {
      this.skipSpaceAndLines();
      if (this.take(']')) return values;
      values.push(this.value());
      this.skipSpaceAndLines();
      if (this.take(',')) continue;
      this.expect(']');
      return values;
    }
  }

  inlineTable() {
    const table = {};
    this.skipSpaceAndLines();
    if (this.take('}')) return table;
    for (;;) {
      this.skipSpaceAndLines();
      this.pair(table);
      this.skipSpaceAndLines();
      if (this.take(',')) continue;
      this.expect('}');
      return table;
    }
  }

  string() {
    const multiLine = this.peek('"""') || this.peek("'''");
    const quote = this.text.slice(this.at, this.at + (multiLine ? 3 : 1));
    const literal = quote.startsWith("'");
    this.at += quote.length;
    if (multiLine) this.take('\n');
    let value = '';
    for (;;) {
      if (this.at >= this.text.length || (!multiLine && this.peek('\n'))) this.fail('a string has no end');
      if (this.take(quote)) return value;
      const letter = this.text[this.at++];
      value += letter === '\\' && !literal ? this.escape(multiLine) : letter;
    }
  }

  escape(multiLine) {
    const letter = this.text[this.at++];
    if (letter in ESCAPES) return ESCAPES[letter];
    if (letter === 'u' || letter === 'U') {
      const digits = this.text.slice(this.at, this.at + (letter === 'u' ? 4 : 8));
      this.at += digits.length;
      return String.fromCodePoint(Number.parseInt(digits, 16));
    }
    if (multiLine && letter === '\n') {
      while (/\s/.test(this.text[this.at] ?? '')) this.at++;
      return '';
    }
    return this.fail(`unknown escape \\${letter}`);
  }

  endOfLine() {
    this.skipSpace();
    if (this.at < this.text.length && !this.take('\n')) this.fail('something stands after the end');
  }

  skipSpace() {
    while (this.peek(' ') || this.peek('\t')) this.at++;
    if (this.peek('#')) while (this.at < this.text.length && !this.peek('\n')) this.at++;
  }

  skipSpaceAndLines() {
    do this.skipSpace();
    while (this.take('\n'));
  }

  match(pattern, what) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) this.fail(`${what} is missing`);
    this.at = pattern.lastIndex;
    return found[0];
  }

  peek(text) {
    return this.text.startsWith(text, this.at);
  }

  take(text) {
    const found = this.peek(text);
    if (found) this.at += text.length;
    return found;
  }

  expect(text) {
    this.skipSpace();
    if (!this.take(text)) this.fail(`${text} is missing`);
  }

  fail(why) {
    throw new Error(`TOML line ${this.text.slice(0, this.at).split('\n').length}: ${why}`);
  }
}
