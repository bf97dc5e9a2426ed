// timeout: 300 s
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { liveMembers } from './process-group.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const FIXTURES = fileURLToPath(new URL('./fixtures', import.meta.url));

interface Run {
  readonly exitCode: number | null;
  readonly output: string;
  readonly lastLine: string;
}

function start(paths: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', MAIN, ...paths], {
    env: { ...process.env, CI: '', ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** Runs the runner on absolute paths, or on paths below fixtures/, and returns what its caller sees. */
async function run(paths: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Run> {
  const child = start(
    paths.map((path) => resolve(FIXTURES, path)),
    environment,
  );
  const closed = once(child, 'close');
  const output = await text(child.stdout!);
  await closed;
  return { exitCode: child.exitCode, output, lastLine: output.slice(output.lastIndexOf('\n', output.length - 2) + 1) };
}

/** What is left of a process group after the moment that killed processes need to disappear. */
async function survivors(groupId: number): Promise<string[]> {
  for (let attempt = 0; attempt < 40 && liveMembers(groupId).length > 0; attempt++) await sleep(50);
  return liveMembers(groupId);
}

/** The process group that fixtures/never-ends.test.ts named in `folder`. */
function groupMarkedIn(folder: string): number {
  const [mark] = readdirSync(folder);
  assert.match(mark!, /^\d+$/);
  return Number(mark);
}

const runner = suite<{ folder: string }>('the test runner');

runner.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'runner-'));
});

runner.after.each((context) => {
  rmSync(context.folder, { recursive: true });
});

runner('adds up the tests of files and suites that pass', async () => {
  const { exitCode, lastLine } = await run(['passing']);
  assert.is(lastLine, '4 passed, 0 failed\n');
  assert.is(exitCode, 0);
});

runner('reads totals when colour is forced on it', async () => {
  const { exitCode, lastLine } = await run(['passing/one-suite.test.ts'], { FORCE_COLOR: '1', NO_COLOR: undefined });
  assert.is(lastLine, '2 passed, 0 failed\n');
  assert.is(exitCode, 0);
});

runner('runs two files beside each other and serial ones alone after them', async ({ folder }) => {
  const { exitCode, lastLine } = await run(['in-order'], { MARKS_FOLDER: folder });
  assert.is(lastLine, '3 passed, 0 failed\n');
  assert.is(exitCode, 0);
});

runner('finds test files in folders, but not below fixtures', async ({ folder }) => {
  for (const path of ['a/b', 'a/fixtures']) mkdirSync(join(folder, path), { recursive: true });
  for (const path of ['a/b/found.test.ts', 'a/not-a-test.ts', 'a/fixtures/hidden.test.ts']) {
    writeFileSync(join(folder, path), 'process.exitCode = 3;');
  }
  const { exitCode, output, lastLine } = await run([folder]);
  assert.match(output, 'a/b/found.test.ts: exited with 3');
  assert.is(lastLine, '0 passed, 1 failed\n');
  assert.is(exitCode, 1);
});

runner('fails when there is no test file', async ({ folder }) => {
  const { exitCode, lastLine } = await run([folder]);
  assert.is(lastLine, '0 passed, 0 failed\n');
  assert.is(exitCode, 1);
});

runner('fails when it is given a path that does not exist', async () => {
  const { exitCode } = await run(['passing', 'no-such.test.ts']);
  assert.is(exitCode, 1);
});

runner('fails for one bad file among good ones', async () => {
  const { exitCode, lastLine } = await run(['passing', 'sins/assertion-fails.test.ts']);
  assert.is(lastLine, '5 passed, 1 failed\n');
  assert.is(exitCode, 1);
});

runner('counts a test whose program is missing as skipped, and names both', async () => {
  const { exitCode, output, lastLine } = await run(['skipped-by-needs.test.ts', 'passing/one-suite.test.ts']);
  assert.match(output, 'skipped-by-needs.test.ts: talks to a program: needs no-such-program');
  assert.is(lastLine, '2 passed, 0 failed, 1 skipped\n');
  assert.is(exitCode, 0);
});

runner('fails when every test was skipped', async () => {
  const { exitCode, lastLine } = await run(['skipped-by-needs.test.ts']);
  assert.is(lastLine, '0 passed, 0 failed, 1 skipped\n');
  assert.is(exitCode, 1);
});

runner('fails for a missing program in CI', async () => {
  const { exitCode, lastLine } = await run(['skipped-by-needs.test.ts'], { CI: 'true' });
  assert.is(lastLine, '0 passed, 1 failed\n');
  assert.is(exitCode, 1);
});

/** Each file of fixtures/sins commits one sin; this is what it must count for, and how the runner must name the sin. */
const SINS: readonly [file: string, counts: string, named: string][] = [
  ['assertion-fails', '1 passed, 1 failed', 'passed 1 of 2 tests'],
  ['await-between-runs', '2 passed, 1 failed', 'printed totals more than once'],
  ['before-throws', '0 passed, 2 failed', 'passed 0 of 2 tests, but no failure was named: a hook threw'],
  ['declared-after-run', '1 passed, 1 failed', "'early' declares tests after early.run()"],
  ['error-after-totals', '1 passed, 1 failed', 'exited with 1'],
  ['exits-early', '0 passed, 1 failed', 'printed no totals'],
  ['floods', '0 passed, 1 failed', 'printed more than the runner keeps'],
  ['focused', '1 passed, 1 failed', 'left out 1 test by only or skip'],
  ['leaves-program-running', '1 passed, 1 failed', 'left running: sleep ('],
  ['leftover-handle', '1 passed, 1 failed', 'did not exit within 5 s of its totals'],
  ['never-run', '0 passed, 1 failed', 'printed no totals'],
  ['no-test', '0 passed, 1 failed', 'ran a suite that declares no test'],
  ['one-empty-suite', '1 passed, 1 failed', 'ran a suite that declares no test'],
  ['rejection-only-logged', '1 passed, 1 failed', 'did not handle an error'],
  ['second-suite-never-run', '1 passed, 1 failed', "the suite 'second' is never run"],
  ['skipped-by-uvu', '1 passed, 1 failed', 'left out 1 test by only or skip'],
];

let sinsRun: Promise<Run> | undefined;

for (const [file, counts, named] of SINS) {
  runner(`fails a file like ${file}, which ${named}`, async () => {
    sinsRun ??= run(['sins']);
    const lines = (await sinsRun).output.split('\n').filter((line) => line.includes(`sins/${file}.test.ts`));
    assert.match(lines[0]!, /^FAIL /);
    assert.ok(lines[0]!.endsWith(`  ${counts}`), lines[0]);
    assert.ok(
      lines.some((line) => line.includes(`${file}.test.ts: ${named}`)),
      lines.join('\n'),
    );
  });
}

runner('ends a file that takes too long, with the programs it started, and names its open handles', async (context) => {
  const { exitCode, output, lastLine } = await run(['never-ends.test.ts'], { MARKS_FOLDER: context.folder });
  assert.match(output, 'did not end within 10 s');
  assert.match(output, /Still open: .*ProcessWrap/);
  assert.is(lastLine, '0 passed, 1 failed\n');
  assert.is(exitCode, 1);
  assert.equal(await survivors(groupMarkedIn(context.folder)), []);
});

runner('ends what it runs when it is told to end', async ({ folder }) => {
  const marks = watch(folder)[Symbol.asyncIterator]();
  const child = start([join(FIXTURES, 'never-ends.test.ts')], { MARKS_FOLDER: folder });
  const closed = once(child, 'close');
  await marks.next();
  await marks.return?.();
  const groupId = groupMarkedIn(folder);
  assert.ok(liveMembers(groupId).length > 0);

  child.kill('SIGTERM');
  await closed;
  assert.is(child.exitCode, 1);
  assert.equal(await survivors(groupId), []);
});

runner.run();
