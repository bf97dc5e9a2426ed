import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findUnhandled, hasEmptySuite, parseSkips, parseTotals } from './parse-output.ts';

const parsing = suite('output of a test file');

const BLOCK = '\n  Total:     12\n  Passed:    10\n  Skipped:   3\n  Duration:  1.5ms\n\n';

parsing('holds the totals of uvu', () => {
  assert.equal(parseTotals(` x  • •   (10 / 12)\n${BLOCK}`), [{ total: 12, passed: 10, skipped: 3 }]);
});

parsing('may hold several blocks of totals', () => {
  assert.is(parseTotals(BLOCK + BLOCK).length, 2);
});

parsing('holds no totals when the block is cut or another program printed a total', () => {
  assert.equal(parseTotals(BLOCK.slice(0, BLOCK.indexOf('  Duration'))), []);
  assert.equal(parseTotals('Total: 12\nPassed: 12\nSkipped: 0\nDuration: 1\n'), []);
});

parsing('names skipped tests with their reasons', () => {
  const stdout = '# SKIP a call: needs sipp\n suite  • # SKIP no line of its own: x\n# SKIP b: needs sox, flite\n';
  assert.equal(parseSkips(stdout), ['a call: needs sipp', 'b: needs sox, flite']);
});

parsing('shows a suite without tests, but not one whose tests all failed', () => {
  assert.ok(hasEmptySuite(' a  •   (1 / 1)\n b    (0 / 0)\n'));
  assert.not(hasEmptySuite(' a  ✘ ✘   (0 / 10)\n'));
  assert.not(hasEmptySuite(' a  •   (10 / 10)\n'));
});

parsing('shows errors that were printed but not handled', () => {
  for (const line of [
    '(node:7) [DEP0168] DeprecationWarning: Uncaught N-API callback exception detected',
    '(node:7) UnhandledPromiseRejectionWarning: Error: x',
    '(node:7) PromiseRejectionHandledWarning: Promise rejection was handled asynchronously (rejection id: 1)',
    'Uncaught Exception: Error: x',
  ]) {
    assert.is(findUnhandled(`first\n${line}\nlast`), line);
  }
  assert.is(findUnhandled('a rejection that was handled\nan exception'), undefined);
});

parsing.run();
