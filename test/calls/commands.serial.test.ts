// timeout: 120 s
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { withGateway } from '../support/call-bench.ts';
import { needs } from '../support/needs.ts';
import { sipp } from '../support/sipp.ts';

const test = suite('commands on a call');

if (needs('commands on a call', 'sipp')) {
  test('an application speaks, stops and hangs up, over the socket and over HTTP', () =>
    withGateway({ GATEWAY_ON_CALL: 'app' }, async ({ platform, gateway }) => {
      platform.onStt = (_payload, connection) => connection.send('words');
      const asked: unknown[] = [];
      platform.onTts = ({ payload, response }) => {
        asked.push(payload);
        response.writeHead(200, { 'content-type': 'audio/wav' }).end(Buffer.alloc(10 * 32_000));
      };
      const call = sipp({
        scenario: 'vanish',
        keys: { pcap: '/usr/share/sip-tester/g711a.pcap' },
        target: gateway.sip,
      });
      await gateway.until('the answer', () => gateway.ofType('call.answered').length === 1);
      const callId = gateway.ofType('call.answered')[0]!.callId!;
      const url = `${gateway.http}/v1/calls/${callId}`;

      const socket = new WebSocket(`${gateway.http.replace('http', 'ws')}/v1/events`);
      await once(socket, 'open');
      socket.send(
        JSON.stringify({ id: 1, type: 'speak', callId, text: 'ten seconds', voice: 'Lana', interruptible: false }),
      );
      const results: { id: unknown; ok: boolean; playbackId?: string }[] = [];
      socket.on('message', (data) => {
        const message = JSON.parse((data as Buffer).toString()) as { type: string; id: unknown; ok: boolean };
        if (message.type === 'result') results.push(message);
      });
      await gateway.until('the playback', () => gateway.ofType('playback.started').length === 1);
      assert.equal(
        results.map(({ id, ok, playbackId }) => [id, ok, playbackId]),
        [[1, true, gateway.ofType('playback.started')[0]!.playbackId]],
      );
      assert.equal(asked[0], { text: 'ten seconds', speaker: 'Lana', sampleRate: '16k' });

      assert.is((await fetch(`${url}/stop`, { method: 'POST' })).status, 204);
      await gateway.until('the interruption', () => gateway.ofType('playback.interrupted').length === 1);
      const { heardMs } = gateway.ofType('playback.interrupted')[0]!;
      assert.ok(heardMs < 10_000, `${heardMs} ms were heard`);

      const bad = await fetch(`${url}/speak`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"text":""}',
      });
      assert.is(bad.status, 400);
      assert.is((await fetch(url, { method: 'DELETE' })).status, 204);
      await call;
      await gateway.until('the end', () => gateway.ofType('call.ended').length === 1);
      assert.is(gateway.ofType('call.ended')[0]?.reason, 'gateway');
      const late = await fetch(`${url}/stop`, { method: 'POST' });
      assert.ok(late.status === 409, String(late.status));
      socket.terminate();
    }));
}

test.run();
