import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/core/clock.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { QuotaGovernor } from '../../src/platform/quota-governor.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { QuotaScheduler } from '../../src/speech/quota-scheduler.ts';
import { Transcriber } from '../../src/speech/transcriber.ts';
import { KEY, withPlatform } from '../local-platform/platform.ts';
import { until } from '../support/until.ts';

const test = suite('quota and the realtime socket');

test('the handshake teaches a lower limit, and with its message it costs two slots', () =>
  withPlatform(
    async ({ url }) => {
      const clock = systemClock;
      const counters = new RealtimeCounters();
      const auth = new RealtimeAuth(KEY);
      const scheduler = new QuotaScheduler({ clock, quota: new QuotaGovernor({ limit: 100 }) });
      const transcriber = new Transcriber({
        clock,
        guard: new AccountGuard(),
        scheduler,
        connect: (onClosed, onHeaders) =>
          RealtimeConnection.open({
            url: `${url.replace('http', 'ws')}/v1/realtime/ws`,
            auth,
            clock,
            counters,
            onClosed,
            onHeaders,
          }),
        encode: (pcm, sampleRate) => buildSttRequest(pcm, sampleRate, { language: 'ar', format: 'linear16-8000' }),
      });
      transcriber.warm();
      await until(() => transcriber.statistics.sockets === 1, 'the connection');
      assert.equal([scheduler.usage.limit, scheduler.usage.used], [40, 1]);
      const pcm = new Int16Array(8000);
      const times = { startMs: 0, endMs: 1_000, decidedAtMs: clock.nowMs() };
      await transcriber.submit({ id: 'a', callId: 'call', pcm, sampleRate: 8000, ...times });
      assert.is(scheduler.usage.used, 2);
      transcriber.close();
    },
    { realtimeQuota: 40 },
  ));

test.run();
