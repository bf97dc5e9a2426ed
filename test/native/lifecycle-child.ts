/**
 * One way for a process to end while the media thread is busy, named by its argument. `lifecycle.serial.test.ts` looks at the
 * exit code; a thread that is left behind or freed too early aborts or hangs the process.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { toEndpoint } from '../../src/rtp/transport.ts';

const HOST = '127.0.0.1';
const way = isMainThread ? process.argv[2]! : (workerData as string);

/** A transport with two ports that send to each other; `onPacket` and `onTick` run in the wake. */
async function busyTransport(onPacket: () => void, onTick: () => void): Promise<NativeTransport> {
  const { addon } = loadAddon();
  if (!addon) throw new Error('Expected the addon');
  const transport = new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock, addon);
  const [first, second] = [await transport.open(), await transport.open()];
  for (const [port, other] of [
    [first, second],
    [second, first],
  ] as const) {
    port.receive(onPacket, onPacket);
    port.setRemote(toEndpoint(HOST, other.rtpPort), toEndpoint(HOST, other.rtpPort + 1));
    port.startSending({
      ssrc: port.rtpPort,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 5,
      timestampStep: 40,
      silencePayload: new Uint8Array(40),
      silencePayloadType: 0,
      onSent: () => {},
      onTick,
    });
  }
  return transport;
}

/** How many transports have threads in this process: each has a media thread and, given two processors, a standby. */
function transportsWithThreads(): number {
  const [media, standby] = [threadsNamed('hamsa-media'), threadsNamed('hamsa-standby')];
  if (standby !== (availableParallelism() > 1 ? media : 0))
    throw new Error(`${media} media threads, ${standby} standby`);
  return media;
}

function threadsNamed(name: string): number {
  const tasks = '/proc/self/task';
  return readdirSync(tasks).filter((task) => {
    try {
      return readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() === name;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  }).length;
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const nothing = (): void => {};

async function worker(wayInWorker: string): Promise<void> {
  const thread = new Worker(
    `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(import.meta.url)}, ${JSON.stringify(import.meta.url)}))`,
    { eval: true, workerData: wayInWorker },
  );
  const end = new Promise<string>((resolve) => {
    let failure: string | undefined;
    thread.on('error', (error) => {
      failure = `error ${error.message}`;
    });
    thread.on('exit', (code) => resolve(failure ?? `exit ${code}`));
  });
  if (wayInWorker === 'run') {
    await new Promise((resolve) => thread.once('message', resolve));
    if (transportsWithThreads() !== 1) throw new Error('Expected a media thread in the worker');
    await thread.terminate();
  }
  console.log(await end);
  if (transportsWithThreads() !== 0) throw new Error('Expected no media thread after the worker');
}

switch (way) {
  case 'run': {
    await busyTransport(nothing, nothing);
    await pass(20);
    parentPort?.postMessage('running');
    break;
  }
  case 'natural': {
    // The thread still runs, but no port is open: nothing keeps the process.
    const transport = await busyTransport(nothing, nothing);
    await pass(30);
    const { addon } = loadAddon();
    const idle = new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock, addon!);
    (await idle.open()).close();
    await transport.close();
    if (transportsWithThreads() !== 1) throw new Error('Expected the idle transport to have a thread');
    break;
  }
  case 'exit': {
    await busyTransport(nothing, nothing);
    await pass(20);
    process.exit(3);
    break;
  }
  case 'exit-in-callback': {
    await busyTransport(() => process.exit(4), nothing);
    break;
  }
  case 'throw-in-packet': {
    await busyTransport(() => {
      throw new Error('thrown by a packet handler');
    }, nothing);
    break;
  }
  case 'throw-in-tick': {
    await busyTransport(nothing, () => {
      throw new Error('thrown by a tick');
    });
    break;
  }
  case 'throw-and-go-on': {
    // An owner that catches everything still gets its packets after one that failed.
    let thrown = 0;
    process.on('uncaughtException', () => {
      thrown += 1;
    });
    let handled = 0;
    const transport = await busyTransport(() => {
      handled += 1;
      if (handled === 5) throw new Error('thrown once');
    }, nothing);
    while (handled < 40) await pass(5);
    await transport.close();
    console.log(`thrown ${thrown}`);
    break;
  }
  case 'close-in-callback': {
    let closed: Promise<void> | undefined;
    const transport: NativeTransport = await busyTransport(() => {
      closed ??= transport.close();
    }, nothing);
    while (!closed) await pass(5);
    await closed;
    if (transportsWithThreads() !== 0) throw new Error('Expected no media thread');
    break;
  }
  case 'worker-terminate': {
    await worker('run');
    break;
  }
  case 'worker-throw': {
    await worker('throw-in-packet');
    break;
  }
  case 'worker-exit': {
    await worker('exit-in-callback');
    break;
  }
  case 'many-transports': {
    for (let round = 0; round < 30; round++) {
      const transport = await busyTransport(nothing, nothing);
      if (round % 3 === 0) await pass(6);
      await transport.close();
    }
    if (transportsWithThreads() !== 0) throw new Error('Expected no media thread');
    break;
  }
  case 'collected': {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { addon } = loadAddon();
    for (let round = 0; round < 10; round++) new addon!.MediaTransport(performance.now(), nothing);
    for (let round = 0; transportsWithThreads() > 0 && round < 100; round++) {
      collect();
      await pass(10);
    }
    if (transportsWithThreads() !== 0) throw new Error('Expected no media thread');
    break;
  }
  default:
    throw new Error(`Expected a way to end but received '${way}'`);
}
