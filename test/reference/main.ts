/**
 * Writes the reference tables of README.md and the JSON Schema of events from the code, or with `--check` fails when
 * they differ from what the code says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { eventsJsonSchema } from '../../src/core/events.ts';
import { errorClassTable, errorTable, eventTable, metricTable, settingTable } from './tables.ts';

const root = new URL('../../', import.meta.url);

function withTables(readme: string): string {
  let text = readme;
  for (const [name, table] of Object.entries({
    settings: settingTable(),
    errors: errorTable(),
    'error classes': errorClassTable(),
    events: eventTable(),
    metrics: metricTable(),
  })) {
    const marks = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`);
    if (!marks.test(text)) throw new Error(`README.md has no place for the table of ${name}`);
    text = text.replace(marks, (_all, open: string, close: string) => `${open}${table}\n${close}`);
  }
  return text;
}

const files: readonly (readonly [URL, (old: string) => string])[] = [
  [new URL('README.md', root), withTables],
  [new URL('src/core/events.schema.json', root), () => `${JSON.stringify(eventsJsonSchema(), null, 2)}\n`],
];

for (const [path, make] of files) {
  let old = '';
  try {
    old = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const wanted = make(old);
  if (process.argv.includes('--write')) writeFileSync(path, wanted);
  else if (old !== wanted) {
    console.error(`${path.pathname} does not say what the code says; run 'npm run docs'`);
    process.exitCode = 1;
  }
}
