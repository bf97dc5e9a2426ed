// timeout: 120 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Phone } from '../../src/apps/phone.ts';
import { levelDbov } from '../../src/audio/level.ts';
import { systemClock } from '../../src/core/clock.ts';
import { readSpeechFixture } from '../speech/fixtures.ts';
import { type CallBench, withGateway } from '../support/call-bench.ts';

const test = suite('barge-in on a call');

const REPLY = ['computer.wav', 'car-repair.wav', 'doctor.wav'];
const reply = await readSpeechFixture(REPLY, 16_000, 300);
/** The reply at the rate of the telephone. */
const returned = await readSpeechFixture(REPLY, 8_000, 300);
const caller = await readSpeechFixture(['flight-time.wav'], 8_000, 0);
const replyMs = reply.pcm.length / 16;
/** A stream that is open for longer than the caller needs to interrupt. */
const STREAM_OPEN_MS = 30_000;

/** A call in which the reply is being heard. */
async function whileSpeaking(
  isStreamLeftOpen: boolean,
  use: (bench: CallBench & { phone: Phone; aborted: () => boolean }) => Promise<void>,
): Promise<void> {
  await withGateway({ GATEWAY_ON_CALL: 'app' }, async ({ platform, gateway }) => {
    let aborted = false;
    platform.onStt = (_payload, connection) => connection.send('stop please');
    platform.onTts = ({ response }) => {
      response.write(Buffer.from(reply.pcm.buffer));
      if (!isStreamLeftOpen) {
        response.end();
        return;
      }
      const timer = systemClock.after(STREAM_OPEN_MS, () => response.end());
      response.once('close', () => {
        timer.cancel();
        aborted = !response.writableEnded;
      });
    };
    const phone = new Phone(systemClock);
    await phone.call(`sip:app@${gateway.sip}`);
    try {
      await gateway.until('the answer', () => gateway.ofType('call.answered').length === 1);
      const { callId } = gateway.ofType('call.answered')[0]!;
      const response = await fetch(`${gateway.http}/v1/calls/${callId}/speak`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: reply.texts.join('') }),
      });
      assert.is(response.status, 202);
      await gateway.until('the reply', () => gateway.ofType('playback.started').length === 1);
      await use({ platform, gateway, phone, aborted: () => aborted });
    } finally {
      await phone.hangup();
    }
    await gateway.until('the end of the call', () => gateway.ofType('call.ended').length === 1);
    const ended = gateway.ofType('speech.ended').length;
    await gateway.until('every answer', () => gateway.ofType('transcript.final').length === ended);
  });
}

test('a caller who speaks over a reply silences it, and its request is given up', () =>
  whileSpeaking(true, async ({ gateway, phone, aborted }) => {
    const spoken = phone.say(caller.pcm);
    await gateway.until('the interruption', () => gateway.ofType('playback.interrupted').length === 1);
    const { heardMs } = gateway.ofType('playback.interrupted')[0]!;
    assert.ok(heardMs > 0 && heardMs < replyMs, `${heardMs} of ${replyMs} ms were heard`);
    await spoken;
    assert.ok(aborted(), 'the request for speech goes on');
    // While the caller's last words were on their way nothing was said to him.
    assert.ok(levelDbov(phone.heard.subarray(-8_000)) < -60);
    assert.is(gateway.ofType('playback.finished').length, 0);
    await gateway.until('what he said', () => gateway.ofType('transcript.final').length > 0);
    const metrics = await (await fetch(`${gateway.http}/metrics`)).text();
    assert.match(metrics, /^hamsa_gateway_barge_ins_total 1$/m);
  }));

test('the echo of a reply, 20 dB weaker, neither interrupts it nor is transcribed', () =>
  whileSpeaking(false, async ({ platform, gateway, phone }) => {
    // What the caller's line returns begins when the reply was heard to begin, and is that again.
    await phone.say(returned.pcm.map((sample) => Math.round(sample / 10)));
    await gateway.until('the end of the reply', () => gateway.ofType('playback.finished').length === 1);
    assert.is(gateway.ofType('playback.interrupted').length, 0);
    assert.ok(Math.abs(gateway.ofType('playback.finished')[0]!.heardMs - replyMs) <= 20);
    assert.equal(
      platform.connections.flatMap(({ requests }) => requests),
      [],
    );
  }));

test.run();
