import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ComfortNoise } from '../../src/audio/comfort-noise.ts';
import { levelDbov } from '../../src/audio/level.ts';

const test = suite('comfort noise');

function generate(noise: ComfortNoise, samples = 16_000): Int16Array {
  const pcm = new Int16Array(samples);
  noise.generate(pcm);
  return pcm;
}

/** Correlation of neighbouring samples, -1 … 1: the tilt of the spectrum. */
function tilt(pcm: Int16Array): number {
  let product = 0;
  let energy = 0;
  for (let i = 1; i < pcm.length; i++) {
    product += pcm[i]! * pcm[i - 1]!;
    energy += pcm[i]! ** 2;
  }
  return product / energy;
}

/** The byte of RFC 3389 section 3.2 for a reflection coefficient. */
function quantize(reflection: number): number {
  return Math.round((reflection * 32_768) / 258) + 127;
}

test('is silent until it is told a level', () => {
  assert.is(levelDbov(generate(new ComfortNoise())), -127);
});

test('has the level of the payload, with and without a spectrum', () => {
  for (const level of [20, 45, 60]) {
    for (const spectrum of [[], [0.5], [-0.9, 0.3], [0.95, -0.8, 0.4, 0.2]]) {
      const noise = new ComfortNoise();
      noise.setPayload(Uint8Array.of(level, ...spectrum.map(quantize)));
      generate(noise, 4000);
      const measured = levelDbov(generate(noise, 80_000));
      assert.ok(Math.abs(measured + level) < 1, `${measured} dBov for ${level} and ${spectrum.join()}`);
    }
  }
});

test('has the spectrum of the payload', () => {
  const noise = new ComfortNoise();
  noise.setPayload(Uint8Array.of(30));
  assert.ok(Math.abs(tilt(generate(noise))) < 0.05, 'white without coefficients');
  // A first reflection coefficient of k makes neighbours correlate by -k.
  for (const reflection of [-0.8, -0.3, 0.6]) {
    noise.setPayload(Uint8Array.of(30, quantize(reflection)));
    const measured = tilt(generate(noise));
    assert.ok(Math.abs(measured + reflection) < 0.05, `${measured} for ${reflection}`);
  }
});

test('goes from one descriptor to the next without a jump beyond the level', () => {
  const noise = new ComfortNoise();
  noise.setPayload(Uint8Array.of(40, quantize(0.7), quantize(-0.5)));
  generate(noise);
  noise.setPayload(Uint8Array.of(60));
  const after = generate(noise, 800);
  assert.ok(after.every((sample) => Math.abs(sample) < 120));
});

test('ignores the top bit of the level, coefficients beyond the order it uses, and an empty payload', () => {
  const noise = new ComfortNoise();
  noise.setPayload(Uint8Array.of(0x80 | 50, ...new Uint8Array(200).fill(127)));
  assert.ok(Math.abs(levelDbov(generate(noise)) + 50) < 1);
  noise.setPayload(new Uint8Array(0));
  assert.ok(Math.abs(levelDbov(generate(noise)) + 50) < 1);
});

test('stays stable with the most extreme coefficients', () => {
  const noise = new ComfortNoise();
  for (const byte of [0, 254, 255]) {
    noise.setPayload(Uint8Array.of(20, byte, byte, byte, byte));
    const pcm = generate(noise, 100_000);
    assert.ok(levelDbov(pcm.subarray(50_000)) < -10, `bytes of ${byte}`);
    assert.ok(Number.isFinite(noise.next()));
  }
});

test('is the same noise every time', () => {
  const [one, other] = [new ComfortNoise(), new ComfortNoise()];
  for (const noise of [one, other]) noise.setLevel(100);
  assert.equal(generate(one), generate(other));
});

test.run();
