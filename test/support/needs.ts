import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program is on PATH (`/usr/sbin` included), or undefined. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/**
 * Guards a test that uses programs from Debian: returns true when all are installed; otherwise prints one line that
 * the runner counts as a skipped test, and returns false. In CI (`CI=true`) a missing program is an error, so that a
 * test can not silently stop running there.
 */
export function needs(testName: string, ...programs: string[]): boolean {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return true;
  if (process.env['CI'] === 'true') throw new Error(`'${testName}' needs ${missing.join(', ')}, which CI must install`);
  console.log(`# SKIP ${testName}: needs ${missing.join(', ')}`);
  return false;
}
