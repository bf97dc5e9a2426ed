import type { Verdict } from './judge.ts';
import type { Outcome } from './run-file.ts';

const HEAD_LINES = 300;
const TAIL_LINES = 100;
const MAX_LINE_CHARS = 1_000;

/** Prints one line a file, the output of files that failed, and the sums. */
export class Report {
  #passed = 0;
  #failed = 0;
  readonly #skips: string[] = [];
  readonly #failures: string[] = [];

  add(file: string, outcome: Outcome, verdict: Verdict): void {
    this.#passed += verdict.passed;
    this.#failed += verdict.failed;
    for (const skip of verdict.skips) this.#skips.push(`${file}: ${skip}`);

    const seconds = (outcome.durationMs / 1_000).toFixed(1).padStart(5);
    const counts = [`${verdict.passed} passed`];
    if (verdict.failed > 0) counts.push(`${verdict.failed} failed`);
    if (verdict.skips.length > 0) counts.push(`${verdict.skips.length} skipped`);
    console.log(`${verdict.failed > 0 ? 'FAIL' : 'ok  '} ${seconds} s  ${file}  ${counts.join(', ')}`);
    if (verdict.failed === 0) return;

    for (const problem of verdict.problems) {
      this.#failures.push(`${file}: ${problem}`);
      console.log(`     ${problem}`);
    }
    process.stdout.write(indent(shorten(outcome.stdout)) + indent(shorten(outcome.stderr)));
  }

  /** Prints what was skipped and what failed, then the sums as the last line. Returns whether the run is a success. */
  finish(): boolean {
    if (this.#skips.length > 0) process.stdout.write(`\nSkipped:\n${indent(this.#skips.join('\n'))}`);
    if (this.#failures.length > 0) process.stdout.write(`\nFailed:\n${indent(this.#failures.join('\n'))}`);
    if (this.#passed + this.#failed === 0) console.log('\nNo test ran.');
    const skipped = this.#skips.length > 0 ? `, ${this.#skips.length} skipped` : '';
    console.log(`\n${this.#passed} passed, ${this.#failed} failed${skipped}`);
    return this.#passed > 0 && this.#failed === 0;
  }
}

/** Indents the lines of `text` and ends with a line feed; an empty text stays empty. */
function indent(text: string): string {
  return text.trim() === '' ? '' : text.replace(/\s*$/, '\n').replace(/^(?=.)/gm, '     ');
}

/** Leaves out the middle of a long text, and the ends of long lines. */
function shorten(text: string): string {
  const lines = text.split('\n').map((line) => line.slice(0, MAX_LINE_CHARS));
  const leftOut = lines.length - HEAD_LINES - TAIL_LINES;
  if (leftOut > 0) lines.splice(HEAD_LINES, leftOut, `… ${leftOut} more lines …`);
  return lines.join('\n');
}
