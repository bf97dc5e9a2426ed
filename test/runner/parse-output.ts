/** What uvu counted in one file. `total` is without `skipped`: tests left out by `skip` or `only`. */
export interface Totals {
  readonly total: number;
  readonly passed: number;
  readonly skipped: number;
}

const TOTALS = /^ {2}Total: {5}(\d+)\n {2}Passed: {4}(\d+)\n {2}Skipped: {3}(\d+)\n {2}Duration: /gm;
const EMPTY_SUITE = / {2}\(0 \/ 0\)$/m;
const SKIP_LINE = /^# SKIP (.+)$/gm;
const UNHANDLED =
  /unhandled ?(?:promise ?)?rejection|PromiseRejectionHandledWarning|uncaught (?:exception|error|n-api)/i;

/** Reads every block of totals that uvu printed without colour; one block covers all suites run together. */
export function parseTotals(stdout: string): Totals[] {
  return [...stdout.matchAll(TOTALS)].map(([, total, passed, skipped]) => ({
    total: Number(total),
    passed: Number(passed),
    skipped: Number(skipped),
  }));
}

/** Whether a suite that declares no test was run. */
export function hasEmptySuite(stdout: string): boolean {
  return EMPTY_SUITE.test(stdout);
}

/** Reads the `# SKIP name: reason` lines of test/support/needs.ts, each as `name: reason`. */
export function parseSkips(stdout: string): string[] {
  return [...stdout.matchAll(SKIP_LINE)].map(([, skip]) => skip!);
}

/** The first line that tells of an error nobody handled, which can go together with exit code 0. */
export function findUnhandled(output: string): string | undefined {
  return output.split('\n').find((line) => UNHANDLED.test(line));
}
