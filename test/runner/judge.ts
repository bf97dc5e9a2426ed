import { inspectSource } from './inspect-source.ts';
import { findUnhandled, hasEmptySuite, parseSkips, parseTotals, type Totals } from './parse-output.ts';
import { EXIT_GRACE_MS, type Outcome } from './run-file.ts';

/** What one test file counts for. It failed if `failed` is not zero, and then `problems` says why. */
export interface Verdict {
  readonly passed: number;
  /** Tests that failed, or 1 when only the file as a whole did. */
  readonly failed: number;
  /** Each skipped test with its reason. */
  readonly skips: readonly string[];
  readonly problems: readonly string[];
}

/**
 * Decides what the outcome of a test file is worth. Exit code 0 is not enough: uvu 0.5.6 also exits 0 when a hook threw
 * (it swallows the error and counts the tests that did not run only in its total), when `.run()` is missing, and when
 * tests are left out by `only` or declared after `.run()`. It waits forever for a handle that is still open, and two
 * `.run()` with an `await` in between make it lose or repeat suites.
 */
export function judge(source: string, timeoutMs: number, outcome: Outcome): Verdict {
  const blocks = parseTotals(outcome.stdout);
  const skips = parseSkips(outcome.stdout);
  const total = sum(blocks, 'total');
  const passed = sum(blocks, 'passed');

  const problems = [...endingProblems(timeoutMs, outcome), ...inspectSource(source)];
  if (passed < total) {
    const cause = outcome.exitCode === 0 ? ', but no failure was named: a hook threw' : '';
    problems.push(`passed ${passed} of ${total} tests${cause}`);
  }
  const leftOut = sum(blocks, 'skipped');
  if (leftOut > 0)
    problems.push(`left out ${leftOut} test${leftOut > 1 ? 's' : ''} by only or skip, and not by needs()`);
  if (blocks.length > 1) problems.push('printed totals more than once: an await stands between its .run() calls');
  if (blocks.length === 0 && outcome.ending === 'exited')
    problems.push('printed no totals: its tests were not run to the end');
  if (skips.length === 0 && hasEmptySuite(outcome.stdout)) problems.push('ran a suite that declares no test');

  return { passed, failed: Math.max(total - passed, problems.length > 0 ? 1 : 0), skips, problems };
}

/** What is wrong with the way the process ended. */
function endingProblems(timeoutMs: number, outcome: Outcome): string[] {
  const { ending, exitCode, signal, leftRunning } = outcome;
  const problems: string[] = [];
  if (ending === 'timedOut') problems.push(`did not end within ${timeoutMs / 1_000} s`);
  if (ending === 'stayed')
    problems.push(`did not exit within ${EXIT_GRACE_MS / 1_000} s of its totals: a handle is open`);
  if (ending === 'flooded') problems.push('printed more than the runner keeps');
  if (ending === 'exited' && exitCode !== 0) problems.push(`exited with ${signal ?? exitCode}`);
  if (leftRunning.length > 0) problems.push(`left running: ${leftRunning.join(', ')}`);
  const unhandled = findUnhandled(`${outcome.stdout}\n${outcome.stderr}`);
  if (unhandled) problems.push(`did not handle an error: ${unhandled.trim()}`);
  return problems;
}

function sum(blocks: readonly Totals[], key: keyof Totals): number {
  return blocks.reduce((partial, block) => partial + block[key], 0);
}
