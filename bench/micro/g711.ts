/**
 * G.711 of one packet (160 samples): the addon's C++ against spandsp, and through JavaScript against the twin and npm
 * `alawmulaw`. Through the addon as the gateway uses it: received packets are decoded many at a time, a reply is encoded
 * by the second; the figures are for one packet of these.
 *
 * `node --import tsx bench/micro/g711.ts [--json FILE]`
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { G711, type Law } from '../../src/audio/g711.ts';
import { DecodeBatch } from '../../src/audio/decode-batch.ts';
import { nativeG711 } from '../../src/audio/native-g711.ts';
import { Ring } from '../../src/audio/ring.ts';
import { type NativeAddon, loadAddon } from '../../src/core/addon.ts';
import {
  describeMachine,
  installedVersion,
  jsonFileOption,
  nanosecondsPerCall,
  printMachine,
  writeJson,
} from '../support/report.ts';

const SAMPLES = 160;
const LAWS = ['ulaw', 'alaw'] as const satisfies Law[];
/** What is aimed at: times as fast as spandsp within C++, share of the twin's time through the addon. */
const GOAL_SPANDSP = 10;
const GOAL_TWIN = 0.5;

/** Nanoseconds a call, as `native/bench/g711.cc` prints them. */
interface InC {
  readonly encode: number;
  readonly spandspEncode: number;
  readonly decode: number;
  readonly spandspDecode: number;
}

/** Compiles and runs the C++ half, or says why it can not be. */
function measureInC(): Readonly<Record<Law, InC>> | string {
  const native = fileURLToPath(new URL('../../native/', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'g711-bench-'));
  try {
    const program = join(folder, 'bench');
    const sources = [`${native}bench/g711.cc`, `${native}g711.cc`];
    const compiled = spawnSync('g++', ['-std=c++17', '-O3', '-fno-ipa-icf', ...sources, '-lspandsp', '-o', program], {
      encoding: 'utf8',
    });
    if (compiled.status !== 0) return compiled.stderr?.split('\n')[0] || 'there is no g++';
    return JSON.parse(spawnSync(program, { encoding: 'utf8' }).stdout) as Record<Law, InC>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const machine = describeMachine();
printMachine(machine);

const inC = measureInC();
if (typeof inC === 'string') {
  console.log(`spandsp: not measured (libspandsp-dev and g++ are needed): ${inC}`);
} else {
  for (const law of LAWS) {
    const { encode, spandspEncode, decode, spandspDecode } = inC[law];
    console.log(
      `C++ ${law}: encode ${encode.toFixed(1)} ns, spandsp ${spandspEncode.toFixed(1)}: ${(spandspEncode / encode).toFixed(1)} times as fast; decode ${decode.toFixed(1)} ns, spandsp ${spandspDecode.toFixed(1)}: ${(spandspDecode / decode).toFixed(1)} times (goal ${GOAL_SPANDSP})`,
    );
  }
}

const codes = Uint8Array.from({ length: SAMPLES }, (_, index) => index * 7);
const pcm = Int16Array.from({ length: SAMPLES }, (_, index) => index * 331 - 20_000);
const twin = {
  ulaw: { encode: time(() => G711.encodeUlaw(pcm, codes)), decode: time(() => G711.decodeUlaw(codes, pcm)) },
  alaw: { encode: time(() => G711.encodeAlaw(pcm, codes)), decode: time(() => G711.decodeAlaw(codes, pcm)) },
};

function time(body: () => void): number {
  return nanosecondsPerCall(body, 20_000);
}

/** Packets of one wake of 250 calls, and of a second. */
const PACKETS = 50;

function measureAddon(addon: NativeAddon): typeof twin {
  const batch = new DecodeBatch({ codes, capacityStreams: PACKETS, capacityJobs: PACKETS, addon });
  const rings = Array.from({ length: PACKETS }, () => new Ring({ capacitySamples: SAMPLES }));
  const lanes = rings.map((ring) => batch.attach({ onFrame: () => {} }, ring, 8000));
  const codec = nativeG711(addon);
  const second = new Int16Array(PACKETS * SAMPLES).map((_, index) => pcm[index % SAMPLES]!);
  const secondCodes = new Uint8Array(second.length);
  const measure = (law: Law) => ({
    encode: time(() => codec.encode(law, second, secondCodes)) / PACKETS,
    decode:
      time(() => {
        for (const lane of lanes) batch.decode(lane, law, 0, 0, SAMPLES);
        batch.run();
      }) / PACKETS,
  });
  return { ulaw: measure('ulaw'), alaw: measure('alaw') };
}

const { addon, problem } = loadAddon();
const native = addon && measureAddon(addon);
for (const law of LAWS) {
  const { encode, decode } = twin[law];
  console.log(`twin ${law}: encode ${encode.toFixed(1)} ns, decode ${decode.toFixed(1)} ns`);
  if (!native) continue;
  const own = native[law];
  console.log(
    `addon ${law}: encode ${own.encode.toFixed(1)} ns, ${(own.encode / encode).toFixed(2)} of the twin; decode ${own.decode.toFixed(1)} ns, ${(own.decode / decode).toFixed(2)} (goal ${GOAL_TWIN.toFixed(2)})`,
  );
}
if (problem) console.log(`addon: not measured, ${problem.found}`);

const peerVersion = installedVersion('alawmulaw');
let peer: { encode: number; decode: number } | undefined;
if (peerVersion === undefined) {
  console.log('alawmulaw: not measured, not installed');
} else {
  const { mulaw } = await import('alawmulaw');
  peer = { encode: time(() => mulaw.encode(pcm)), decode: time(() => mulaw.decode(codes)) };
  console.log(`alawmulaw ulaw: encode ${peer.encode.toFixed(1)} ns, decode ${peer.decode.toFixed(1)} ns`);
}
writeJson(jsonFileOption(), { bench: 'g711', machine, samples: SAMPLES, inC, twin, native, peerVersion, peer });
