// timeout: 1000 s
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';

const SCRIPT = fileURLToPath(new URL('../../native/test/run.sh', import.meta.url));
/** A minute on two idle processors. */
const TIMEOUT_S = 240;

const test = suite("the addon's C++ tests");

/** Mode of the script, what it is, and the programs it takes besides bash. How the addon is compiled is tested through it. */
const MODES: readonly [mode: string, sentence: string, ...programs: string[]][] = [
  ['asan', 'pass under the address and undefined-behaviour sanitizers', 'g++'],
  ['tsan', 'pass under the thread sanitizer', 'g++'],
  ['valgrind', 'pass under valgrind', 'g++', 'valgrind'],
];

for (const [mode, sentence, ...programs] of MODES) {
  if (!needs(`C++ tests, ${mode}`, ...programs)) continue;
  test(sentence, () => {
    // It ends the compiler and the test as well, and exits with 124.
    const { status, stdout, stderr } = spawnSync('timeout', [`${TIMEOUT_S}`, SCRIPT, mode], { encoding: 'utf8' });
    assert.is(status, 0, `${stdout}${stderr}`);
  });
}

test.run();
