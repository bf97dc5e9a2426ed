import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const TEST_FILE = /\.test\.ts$/;
const SERIAL_FILE = /\.serial\.test\.ts$/;

/**
 * Lists the test files among `roots`, sorted. A file stands for itself; a folder stands for every `*.test.ts` below it,
 * except below its folders named `fixtures`, which hold files for tests to read or run.
 *
 * @throws Error - `ENOENT` if a root does not exist.
 */
export function discover(roots: readonly string[]): string[] {
  const files = new Set<string>();
  for (const root of roots) {
    if (statSync(root).isDirectory()) collect(root, files);
    else files.add(root);
  }
  return [...files].sort();
}

/** Whether a file depends on timing or on fixed ports and therefore runs with nothing beside it. */
export function isSerial(file: string): boolean {
  return SERIAL_FILE.test(file);
}

function collect(folder: string, files: Set<string>): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'fixtures' && entry.name !== 'node_modules') collect(path, files);
    } else if (TEST_FILE.test(entry.name)) {
      files.add(path);
    }
  }
}
