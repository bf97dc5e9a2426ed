// timeout: 180 s
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeWav, parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { callWithBaresip } from '../support/baresip.ts';
import { needs } from '../support/needs.ts';
import { ScriptedPlatform } from '../support/scripted-platform.ts';
import { serveGateway } from '../support/serve.ts';
import { audiblePart, locateEnds } from '../support/wav-compare.ts';

const PROMPTS = '/usr/share/asterisk/sounds/en_US_f_Allison';
const SECOND = 8000;

function prompt(name: string): Int16Array {
  return audiblePart(wavToPcm(parseWav(readFileSync(join(PROMPTS, `${name}.wav`)))), SECOND);
}

function concatenate(...pieces: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}

/** Fails unless `source` is in `recording` from its first to its last 100 ms. */
function assertWhole(what: string, source: Int16Array, recording: Int16Array): void {
  const { first, last } = locateEnds(source, recording, SECOND);
  const apartMs = last.offsetMs - first.offsetMs;
  const expectedMs = source.length / 8 - 100;
  const found = JSON.stringify({ what, first, last, expectedMs });
  assert.ok(first.correlation > 0.9 && last.correlation > 0.9 && Math.abs(apartMs - expectedMs) < 2, found);
}

const test = suite('calls from baresip');

if (needs('calls from baresip', 'baresip') && needs('Asterisk prompts', 'pocketsphinx_batch')) {
  test('every prompt reaches the platform whole, once and in order, and every reply is heard whole', async () => {
    const prompts = ['vm-intro', 'queue-thankyou', 'vm-youhave'].map(prompt);
    const replies = ['vm-goodbye', 'tt-weasels', 'demo-thanks'].map(prompt);
    const pause = new Int16Array(7 * SECOND);
    const folder = mkdtempSync(join(tmpdir(), 'caller-'));
    const speech = join(folder, 'speech.wav');
    const said = concatenate(pause.subarray(0, SECOND), ...prompts.flatMap((pcm) => [pcm, pause]));
    writeFileSync(speech, encodeWav(said, SECOND));

    const platform = await ScriptedPlatform.start();
    const heard: Int16Array[] = [];
    platform.onStt = ({ audioBase64 }, connection) => {
      heard.push(wavToPcm(parseWav(Buffer.from(audioBase64, 'base64'))).filter((_, index) => index % 2 === 0));
      connection.send(`sentence ${heard.length}`);
    };
    const asked: unknown[] = [];
    platform.onTts = ({ payload, response }) => {
      asked.push(payload['text']);
      const pcm = replies[(asked.length - 1) % replies.length]!;
      // Each sample twice: the same sound at 16 kHz, for this test as good as any other.
      const doubled = Int16Array.from({ length: pcm.length * 2 }, (_, index) => pcm[index >> 1]!);
      response.writeHead(200, { 'content-type': 'audio/wav' }).end(Buffer.from(doubled.buffer));
    };
    const gateway = await serveGateway({
      HAMSA_API_KEY: 'sk_live_key_of_the_call',
      HAMSA_BASE_URL: platform.baseUrl,
      GATEWAY_ON_CALL: 'echo',
    });
    try {
      const target = `sip:gateway@${gateway.sip}`;
      const earpiece = await callWithBaresip({ target, speech, durationMs: said.length / 8 + 3000 });
      await gateway.until('the end of the call', () => gateway.ofType('call.ended').length === 1);
      await gateway.until('all transcripts', () => gateway.ofType('transcript.final').length >= heard.length);
      const texts = gateway.ofType('transcript.final').map(({ text }) => text);
      assert.equal(
        texts,
        heard.map((_, index) => `sentence ${index + 1}`),
      );
      assert.equal(asked, texts, 'each transcript is spoken back once, in order');
      const everything = concatenate(...heard);
      assert.ok(asked.length >= replies.length, `${asked.length} replies`);
      for (const [index, pcm] of prompts.entries()) assertWhole(`prompt ${index}`, pcm, everything);
      for (const [index, pcm] of replies.entries()) assertWhole(`reply ${index}`, pcm, earpiece);
    } finally {
      await gateway.stop();
      await platform.close();
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
