/**
 * Base64 of one utterance (5 s of 16 kHz audio with its header) into a preallocated buffer: the addon, its twin, and
 * `Buffer.toString('base64')` with and without the copy into the buffer.
 *
 * `node --import tsx bench/micro/base64.ts [--json FILE]`
 */
import { base64Writer } from '../../src/audio/native-base64.ts';
import { loadAddon } from '../../src/core/addon.ts';
import { describeMachine, jsonFileOption, nanosecondsPerCall, printMachine, writeJson } from '../support/report.ts';

const BYTES = 44 + 5 * 16_000 * 2;
const audio = Buffer.from(Uint8Array.from({ length: BYTES }, (_, index) => (index * 2_654_435_761) >>> 13));
const message = Buffer.alloc(Math.ceil(BYTES / 3) * 4);

function microseconds(body: () => void): number {
  return nanosecondsPerCall(body, 200) / 1000;
}

const machine = describeMachine();
printMachine(machine);
const { addon, problem } = loadAddon();
const twin = base64Writer(undefined);
const times: Record<string, number> = {
  "toString('base64')": microseconds(() => audio.toString('base64')),
  "toString('base64') and write": microseconds(() => message.write(audio.toString('base64'), 0, 'latin1')),
  twin: microseconds(() => twin(audio, message, 0)),
};
if (addon) times['addon'] = microseconds(() => base64Writer(addon)(audio, message, 0));
else console.log(`addon: not measured, ${problem.found}`);
for (const [name, us] of Object.entries(times)) console.log(`${name}: ${us.toFixed(1)} µs for ${BYTES} bytes`);
const peer = times["toString('base64') and write"]!;
const ratio = times['addon'] === undefined ? undefined : times['addon'] / peer;
if (ratio !== undefined) console.log(`addon / toString and write: ${ratio.toFixed(2)}`);
writeJson(jsonFileOption(), { bench: 'base64', machine, bytes: BYTES, microseconds: times, ratio });
