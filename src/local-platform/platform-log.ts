import type { Logger } from '../core/logger.ts';

/** Never given keys, URLs, texts or audio. */
export type PlatformLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
