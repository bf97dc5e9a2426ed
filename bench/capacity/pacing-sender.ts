/**
 * Child of `pacing.ts`: the gateway's side. Every call sends audio that is topped up on the tick, and the event loop
 * stands still for a while each second, as a garbage collection or a careless handler makes it.
 */
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { DgramTransport } from '../../src/rtp/dgram-transport.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { type FrameSender, type MediaTransport, toEndpoint } from '../../src/rtp/transport.ts';
import { cpuUs } from '../support/process-usage.ts';
import type { SenderReport, ToSender } from './pacing.ts';

const HOST = '127.0.0.1';
const FRAME = new Uint8Array(160).fill(0x55);
/** What the gateway's playout keeps in the ring. */
const QUEUED_FRAMES = 25;
/** Their names for the kernel. */
const SENDING_THREADS = ['hamsa-media', 'hamsa-standby'] as const;

let transport: MediaTransport | undefined;
let underruns = 0;
let told = 0;
let received = 0;

function topUp(sender: FrameSender): void {
  while (sender.queuedFrames < QUEUED_FRAMES && sender.write(FRAME, 0, 160, 0, 1));
}

function openTransport(kind: 'native' | 'dgram'): MediaTransport {
  const options = { localAddress: HOST, portRange: [0, 0] } as const;
  if (kind === 'dgram') return new DgramTransport(options, systemClock);
  const { addon } = loadAddon();
  if (!addon) throw new Error('Expected the native addon; run npm run build:native');
  return new NativeTransport(options, systemClock, addon);
}

async function start({ calls, stallMs, ports, kind }: ToSender & { type: 'start' }): Promise<void> {
  transport = openTransport(kind);
  const ownPorts: number[] = [];
  for (let call = 0; call < calls; call++) {
    const port = await transport.open();
    ownPorts.push(port.rtpPort);
    port.receive(
      () => {
        received += 1;
      },
      () => {},
    );
    port.setRemote(toEndpoint(HOST, ports[call % ports.length]!), undefined);
    const sender = port.startSending({
      ssrc: call + 1,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 20,
      timestampStep: 160,
      silencePayload: new Uint8Array(160).fill(0xff),
      silencePayloadType: 0,
      onSent: () => {
        told += 1;
      },
      onTick: () => {
        if (sender.queuedFrames === 0) underruns += 1;
        topUp(sender);
      },
    });
    topUp(sender);
  }
  setInterval(() => {
    const endMs = performance.now() + stallMs;
    while (performance.now() < endMs);
  }, 1000).unref();
  process.send?.(ownPorts);
}

async function stop(): Promise<void> {
  const native = transport instanceof NativeTransport ? transport.statistics : undefined;
  const { user, system } = process.cpuUsage();
  const senderCpuMs = SENDING_THREADS.reduce((sum, name) => sum + cpuUs(process.pid, name) / 1000, 0);
  const cpuMs = (user + system) / 1000;
  const report: SenderReport = { received, underruns, told, cpuMs, senderCpuMs, ...(native && { native }) };
  process.send?.(report);
  await transport?.close();
  process.disconnect();
}

process.on('message', (message: ToSender) => {
  void (message.type === 'start' ? start(message) : stop());
});
