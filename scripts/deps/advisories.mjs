// Takes the facts that the check needs out of a clone of RustSec's advisory database. Facts only: identifiers, titles
// and version ranges.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseToml } from './toml.mjs';

/** The advisories that `database` (a folder) has about the crates called `names`. */
export function takeSnapshot(database, names, date) {
  if (!existsSync(join(database, 'crates'))) throw new Error(`${database} is no clone of rustsec/advisory-db`);
  const covers = [...new Set(names)].sort();
  const advisories = covers.flatMap((name) => {
    const folder = join(database, 'crates', name);
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder).filter((file) => /^RUSTSEC-(?!0000).*\.md$/.test(file)).sort();
    return files.flatMap((file) => readAdvisory(readFileSync(join(folder, file), 'utf8')));
  });
  return { source: 'https://github.com/rustsec/advisory-db', date, covers, advisories };
}

/** The facts of one advisory; none if it was withdrawn. */
export function readAdvisory(markdown) {
  const [, front] = /^```toml\n([\s\S]*?)\n```/.exec(markdown.replaceAll('\r\n', '\n')) ?? [];
  if (front === undefined) throw new Error('an advisory begins with a block of TOML');
  const { advisory, versions } = parseToml(front);
  if (advisory.withdrawn) return [];
  const [, title = advisory.id] = /^# (.+)$/m.exec(markdown) ?? [];
  return [
    {
      id: advisory.id,
      package: advisory.package,
      title: title.trim(),
      ...(advisory.informational && { informational: advisory.informational }),
      patched: versions?.patched ?? [],
      unaffected: versions?.unaffected ?? [],
    },
  ];
}
