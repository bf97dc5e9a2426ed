import { systemClock } from '../../src/core/clock.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { transportContract } from '../rtp/transport-contract.ts';
import { loadAddon } from '../../src/core/addon.ts';
const { addon } = loadAddon();
if (addon) transportContract('native', (options) => new NativeTransport(options, systemClock, addon));
