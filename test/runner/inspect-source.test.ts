import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inspectSource } from './inspect-source.ts';

const inspection = suite('source of a test file');

const IMPORT = "import { suite, test } from 'uvu';\n";

inspection('is fine when every suite is run after its tests', () => {
  const source = `
    const ring = suite<{ size: number }>('ring');
    const queue: Test = suite('queue');
    ring('one', () => { makering(); other.ring(); });
    queue.before.each(() => {});
    ring.run();
    queue('one', () => {});
    queue.run();
    makering(1);`;
  assert.equal(inspectSource(source), []);
});

inspection('is fine when a suite is made and run for each of several subjects', () => {
  assert.equal(inspectSource("for (const x of all) { const t = suite(x.name); t('a', () => {}); t.run(); }"), []);
});

inspection('tells of a suite that is not run, also of the unnamed one', () => {
  assert.match(inspectSource("const ring = suite('ring');\nring('one', () => {});")[0]!, "'ring' is never run");
  assert.match(inspectSource(`${IMPORT}test('one', () => {});`)[0]!, "'test' is never run");
});

inspection('does not count a run that is commented out', () => {
  assert.match(inspectSource("const ring = suite('ring');\n  // ring.run();")[0]!, "'ring' is never run");
  assert.match(inspectSource("const ring = suite('ring');\n/* ring.run(); */")[0]!, "'ring' is never run");
});

inspection('does not take a pattern of files in a string for a comment', () => {
  assert.equal(inspectSource("const ring = suite('ring');\nring('a/*', () => {});\nring.run(); f('*/');"), []);
});

inspection('tells of tests declared after the run', () => {
  const source = `${IMPORT}test('one', () => {});\ntest.run();\ntest('two', () => {});`;
  assert.equal(inspectSource(source), ["'test' declares tests after test.run()"]);
});

inspection.run();
