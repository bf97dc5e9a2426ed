import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addonFor } from './addon.ts';

const test = suite('media thread at the end of its environment');

/** Way to end, exit code, and what must be in the output. */
const WAYS: readonly [way: string, sentence: string, code: number, output: RegExp][] = [
  ['natural', 'a process with nothing left to do ends', 0, /^$/],
  ['exit', 'process.exit() ends the thread', 3, /^$/],
  ['exit-in-callback', 'process.exit() out of a packet handler ends the thread', 4, /^$/],
  ['throw-in-packet', 'an exception of a packet handler ends the process', 1, /thrown by a packet handler/],
  ['throw-in-tick', 'an exception of a tick ends the process', 1, /thrown by a tick/],
  ['throw-and-go-on', 'after an exception that is caught packets go on', 0, /^thrown 1$/],
  ['close-in-callback', 'a transport may be closed out of a packet handler', 0, /^$/],
  ['worker-terminate', 'the termination of a worker ends its thread', 0, /^exit 1$/],
  ['worker-throw', 'an exception in a worker ends the worker', 0, /^error thrown by a packet handler$/],
  ['worker-exit', 'process.exit() in a worker ends the worker', 0, /^exit 4$/],
  ['collected', 'a transport that nobody holds is closed', 0, /^$/],
  ['many-transports', 'transports come and go', 0, /^$/],
];

if (addonFor('media thread lifecycle')) {
  for (const [way, sentence, code, output] of WAYS) {
    test(sentence, () => {
      const child = fileURLToPath(new URL('./lifecycle-child.ts', import.meta.url));
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', child, way], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      const said = `${stdout}${stderr}`.trim();
      assert.is(signal, null, said);
      assert.is(status, code, said);
      assert.match(said, output);
    });
  }
}

test.run();
