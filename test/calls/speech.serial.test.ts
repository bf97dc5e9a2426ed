import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Phone } from '../../src/apps/phone.ts';
import { levelDbov } from '../../src/audio/level.ts';
import { systemClock } from '../../src/core/clock.ts';
import { withGateway } from '../support/call-bench.ts';
import { readSpeechFixture } from '../speech/fixtures.ts';
import type { ScriptedPlatform } from '../support/scripted-platform.ts';
import type { ServedGateway } from '../support/serve.ts';

interface World {
  folder: string;
}

const test = suite<World>('speech in a call');

test.before.each(async (world) => {
  world.folder = await mkdtemp(join(tmpdir(), 'speech-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

const { pcm, texts, pauses } = await readSpeechFixture(['computer.wav', 'car-repair.wav'], 16_000, 400);
const bytes = Buffer.from(pcm.buffer);
const durationMs = pcm.length / 16;

/** A call of an application that only speaks. */
async function inCall(
  folder: string,
  env: Readonly<Record<string, string>>,
  use: (bench: {
    platform: ScriptedPlatform;
    gateway: ServedGateway;
    phone: Phone;
    /** Speaks, and resolves when it was heard to its end. */
    say: (text: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withGateway({ GATEWAY_ON_CALL: 'app', GATEWAY_DATA: folder, ...env }, async ({ platform, gateway }) => {
    const phone = new Phone(systemClock);
    await phone.call(`sip:app@${gateway.sip}`);
    await gateway.until('the answer', () => gateway.ofType('call.answered').length === 1);
    const { callId } = gateway.ofType('call.answered')[0]!;
    const say = async (text: string): Promise<void> => {
      const ended = gateway.ofType('playback.finished').length;
      const response = await fetch(`${gateway.http}/v1/calls/${callId}/speak`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text, interruptible: false }),
      });
      assert.is(response.status, 202);
      await gateway.until('the end of it', () => gateway.ofType('playback.finished').length > ended, 30_000);
    };
    try {
      await use({ platform, gateway, phone, say });
    } finally {
      await phone.hangup();
      await gateway.until('the end of the call', () => gateway.ofType('call.ended').length === 1);
    }
  });
}

for (const transport of ['http', 'socket']) {
  test(`${transport}: sentences of one request are marked where they end, and a cut reply is not heard`, async (world) => {
    await inCall(world.folder, { HAMSA_TTS_TRANSPORT: transport }, async ({ platform, gateway, phone, say }) => {
      const bodies = [bytes.subarray(0, 640), bytes];
      platform.onTts = ({ response }) => response.end(bodies.shift());
      platform.onSocketTts = (_, connection) => {
        connection.sendFrame('ack');
        connection.sendAudio(bodies.shift() ?? bytes);
        connection.sendFrame('end');
      };
      await say(texts.join(''));
      assert.is(bodies.length, 0);
      const marks = gateway.ofType('playback.mark').map(({ heardMs }) => heardMs);
      assert.is(marks.length, 2, JSON.stringify(marks));
      for (const [index, { startMs, endMs }] of pauses.entries()) {
        const markMs = marks[index]!;
        // A mark is told with the packet in which it lies.
        assert.ok(
          markMs >= startMs && markMs <= endMs + 20,
          `mark ${index} at ${markMs}, pause ${startMs}-${endMs} ms`,
        );
      }
      const heardMs = gateway.ofType('playback.finished')[0]!.heardMs;
      assert.ok(Math.abs(heardMs - durationMs) <= 1, `${heardMs} of ${durationMs} ms`);
      assert.ok(levelDbov(phone.heard) > -50);
    });
  });
}

test('what is said a third time comes from the cache', async ({ folder }) => {
  await inCall(folder, {}, async ({ platform, gateway, say }) => {
    platform.onTts = ({ response }) => response.end(bytes.subarray(0, 40_000));
    for (let time = 0; time < 3; time++) await say('Welcome to us.');
    assert.is(platform.ttsCalls.length, 2);
    const metrics = await (await fetch(`${gateway.http}/metrics`)).text();
    assert.match(metrics, /^hamsa_gateway_prompt_hits_total 1$/m);
    assert.match(metrics, /^hamsa_gateway_tts_requests_total 2$/m);
    assert.equal(
      gateway.ofType('playback.finished').map(({ heardMs }) => heardMs),
      [1250, 1250, 1250],
    );
  });
});

test.run();
