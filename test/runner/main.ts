import { readFileSync } from 'node:fs';
import { discover, isSerial } from './discover.ts';
import { judge } from './judge.ts';
import { Report } from './report.ts';
import { runFile } from './run-file.ts';

/**
 * Runs the test files among its arguments (files or folders; by default everything below `test/`), each in a process of
 * its own, and trusts none of them: see judge.ts. Its last line is `N passed, N failed` with `, N skipped` added if any
 * were; it exits 1 unless at least one test passed and none failed.
 */
const PARALLEL_FILES = 2;
const DEFAULT_TIMEOUT_S = 120;
/** The first line of a test file that may take longer than the default. */
const TIMEOUT_LINE = /^\/\/ timeout: (\d+) s\n/;

const report = new Report();

async function run(file: string): Promise<void> {
  const source = readFileSync(file, 'utf8');
  const timeoutMs = Number(TIMEOUT_LINE.exec(source)?.[1] ?? DEFAULT_TIMEOUT_S) * 1_000;
  const outcome = await runFile(file, timeoutMs);
  report.add(file, outcome, judge(source, timeoutMs, outcome));
}

/** Runs `files` in order, `width` of them at any moment. */
async function runAll(files: readonly string[], width: number): Promise<void> {
  const queue = files.values();
  const worker = async (): Promise<void> => {
    for (const file of queue) await run(file);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const roots = process.argv.slice(2);
const files = discover(roots.length > 0 ? roots : ['test']);
await runAll(
  files.filter((file) => !isSerial(file)),
  PARALLEL_FILES,
);
await runAll(files.filter(isSerial), 1);
process.exitCode = report.finish() ? 0 : 1;
