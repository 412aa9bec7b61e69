import type { World } from '../../world.ts';
import type { ApiServer } from '../server.ts';
import type { Exchange, HttpRequest } from './message.ts';
import type { Presentation } from './presentation.ts';

/** How one cluster shows itself over HTTP. */
export interface FrontOptions {
  /** `1.32`. */
  readonly kubernetes?: string;
  /** How a watch from a forgotten version ends: in its stream, as usual, or by status 410 (A5). */
  readonly expiredWatch?: 'event' | 'status';
  /** True while time stands still: what would have to wait is refused at once. */
  readonly frozen?: () => boolean;
}

/** What every end of a route works with. */
export interface FrontParts {
  readonly world: World;
  readonly server: ApiServer;
  readonly options: Required<FrontOptions>;
}

/** A request about objects, with the form that it wants them in. */
export interface ObjectCall extends Call {
  readonly shown: Presentation;
}

/** One request on its way to an answer. */
export interface Call {
  readonly request: HttpRequest;
  readonly exchange: Exchange;
  readonly user: string;
}
