// The walls of ARCHITECTURE.md as pure functions: facts of the workspace in, breaches out.

import { parseToml } from './toml.mjs';

/** Which of our crates each of ours may depend on; in tests it may also have those after the bar. */
const MAY_DEPEND_ON = {
  wire: [[], []],
  net: [[], []],
  'sfu-core': [['wire'], ['bot']],
  sfu: [['wire', 'net', 'sfu-core'], ['bot']],
  server: [['sfu'], ['bot']],
  bot: [['wire', 'net'], []],
};

/** Crates of others that ours must not name, and why. */
const MUST_NOT_NAME = {
  wire: { crates: ['tokio', 'mio', 'socket2', 'libc'], why: 'it knows bytes only' },
  'sfu-core': { crates: ['tokio', 'mio', 'socket2', 'libc', 'parking_lot', 'crossbeam-channel'], why: 'it does no I/O' },
  sfu: { crates: ['axum', 'socketioxide', 'hyper', 'sqlx'], why: 'it is a library without a web server' },
  net: { crates: ['tokio'], why: 'it speaks std types only' },
};

/** Crates that must not be linked into the media engine, by whatever way. */
const NO_IO = new Set(['tokio', 'mio', 'socket2', 'async-io', 'async-std', 'smol', 'polling', 'quinn-udp', 'hyper', 'axum']);

/** Breaches in what the manifests name. `packages` are those of `cargo metadata --no-deps`. */
export function checkEdges(packages) {
  const ours = new Set(packages.map(({ name }) => name));
  return packages.flatMap(({ name, dependencies }) => {
    if (!(name in MAY_DEPEND_ON)) return [`${name} is no crate that the walls know: add it to scripts/deps/walls.mjs`];
    const [always, inTests] = MAY_DEPEND_ON[name];
    const forbidden = MUST_NOT_NAME[name] ?? { crates: [] };
    return dependencies.flatMap(({ name: other, kind }) => {
      if (ours.has(other)) {
        const allowed = always.includes(other) || (kind === 'dev' && inTests.includes(other));
        return allowed ? [] : [`${name} must not depend on ${other}`];
      }
      return kind !== 'dev' && forbidden.crates.includes(other) ? [`${name} must not depend on ${other}: ${forbidden.why}`] : [];
    });
  });
}

/** Breaches in what gets linked into `crate`. `tree` is the output of `cargo tree --edges normal --prefix none`. */
export function checkTree(crate, tree) {
  const names = tree.split('\n').map((line) => line.split(' ')[0]);
  if (names[0] !== crate) return [`no tree of ${crate}: ${names[0]}`];
  return [...new Set(names)].filter((name) => NO_IO.has(name)).map((name) => `${crate} has ${name} among its dependencies: it does no I/O`);
}

/** Breaches in the lints: the workspace forbids `unsafe`, and every crate but net obeys the workspace. */
export function checkLints(workspace, manifests) {
  const wrong = parseToml(workspace).workspace.lints?.rust?.unsafe_code === 'forbid' ? [] : ['the workspace does not forbid unsafe_code'];
  for (const { name, text } of manifests) {
    const { lints } = parseToml(text);
    if (name !== 'net' && lints?.workspace !== true) wrong.push(`${name} does not take the lints of the workspace`);
    if (name === 'net' && lints?.clippy?.undocumented_unsafe_blocks !== 'deny') wrong.push('net allows unsafe without a reason');
  }
  return wrong;
}

/** Lines of Rust source with the word `unsafe` in code, not in a comment or a string. */
export function unsafeLines(source) {
  return withoutText(source)
    .split('\n')
    .flatMap((line, index) => (/\bunsafe\b/.test(line) ? [index + 1] : []));
}

/** The source with comments, strings and character literals blanked, line by line as it was. */
function withoutText(source) {
  const text = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\[^\n]{1,10}?|[^'\\\n])'/g;
  return source.replace(text, (found) => found.replace(/[^\n]/g, ' '));
}
