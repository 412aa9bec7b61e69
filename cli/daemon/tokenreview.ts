import { createHash } from 'node:crypto';
import type { KubeObject, KubePort } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';

/** What tokens for the agent API are made for. */
export const audience = 'fairlead-agent';

const reviews: Resource = {
  group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', kind: 'TokenReview',
  namespaced: false,
};

const goodForMs = 5 * 60_000;
/** While the API server is away, a token that was good is believed longer. */
const goodWithoutApiMs = 60 * 60_000;
const rememberedMax = 256;

/**
 * Whether bearer tokens are good, by TokenReview (interface.md 9). Tokens are remembered by their
 * hash; one that was refused is asked about again.
 */
export class TokenReviews {
  #kube: KubePort;
  #good = new Map<string, number>();

  constructor(kube: KubePort) {
    this.#kube = kube;
  }

  async good(authorization: string | undefined): Promise<boolean> {
    const token = /^Bearer (\S+)$/u.exec(authorization ?? '')?.[1];
    if (token === undefined) return false;
    const hash = createHash('sha256').update(token).digest('hex');
    const age = performance.now() - (this.#good.get(hash) ?? -Infinity);
    if (age < goodForMs) return true;
    const verdict = await this.#ask(token);
    if (verdict === undefined) return age < goodWithoutApiMs;
    this.#good.delete(hash);
    if (!verdict) return false;
    this.#good.set(hash, performance.now());
    for (const [oldest] of this.#good) {
      if (this.#good.size <= rememberedMax) break;
      this.#good.delete(oldest);
    }
    return true;
  }

  /** Undefined: the API server does not say. */
  #ask(token: string): Promise<boolean | undefined> {
    const body: KubeObject = {
      apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {},
      spec: { token, audiences: [audience] },
    };
    return new Promise((resolve) => {
      this.#kube.request({
        verb: 'create', resource: reviews, namespace: '', body, timeout: 5_000_000,
      }, (result) => {
        if (!result.ok) {
          const { kind } = result.error;
          resolve(kind === 'denied' || kind === 'invalid' ? false : undefined);
          return;
        }
        resolve(result.value.kind === 'object' && reviewed(result.value.object));
      });
    });
  }
}

function reviewed(object: KubeObject): boolean {
  const status = object['status'] as {
    readonly authenticated?: unknown; readonly audiences?: unknown;
  } | undefined;
  return status?.authenticated === true
    && Array.isArray(status.audiences) && status.audiences.includes(audience);
}
