import { HttpListener, type HttpAnswer, type HttpQuestion } from '../../bpf/httplistener.real.ts';
import type { KubePort } from '../../kube/port.ts';
import { answerOf, refusal, type AgentSite } from './agentapi.ts';
import { TokenReviews } from './tokenreview.ts';
import { answerProbe, type Probe } from './probes.ts';
import { placeOf, textOf } from './values.ts';

/** What the agent serves, and where it learns of it. */
export interface DoorsOrder {
  readonly site: () => AgentSite;
  readonly kube: KubePort;
  readonly probes: Readonly<Record<string, Probe>>;
}

const requestsMax = 32;

/**
 * The doors of an agent: probes and remote routes on loopback, and the whole API on a unix socket
 * of this machine (interface.md 9, 13).
 */
export class AgentDoors {
  #order: DoorsOrder;
  #reviews: TokenReviews;
  #listeners: HttpListener[] = [];
  #remote = 0;

  constructor(order: DoorsOrder) {
    this.#order = order;
    this.#reviews = new TokenReviews(order.kube);
    const { values } = order.site().at.configuration;
    const place = placeOf(values['health.address'] ?? '127.0.0.1:9474');
    if (place === undefined) return;
    this.#listeners.push(new HttpListener({
      ...place, refused: (errno) => this.#refused(`${place.host}:${place.port}`, errno),
      answer: (path, question) => (
        answerProbe(order.probes, path) ?? this.#remoteAnswer(path, question)
      ),
    }));
  }

  /** The socket belongs to the agent that has the node: another one waits without. */
  openSocket(): void {
    const { site, probes } = this.#order;
    const socket = textOf(site().at.configuration.values['api.socket']);
    if (socket === undefined) return;
    this.#listeners.push(new HttpListener({
      port: 0, socket, refused: (errno) => this.#refused(socket, errno),
      answer: (path, question) => answerProbe(probes, path)
        ?? answerOf(path, question, { site: site(), door: 'socket' }),
    }));
  }

  #refused(where: string, errno: string): void {
    this.#order.site().at.log.note({
      level: 'warn', component: 'health', code: 'health.portRefused',
      text: `${where}: ${errno}; asked for again every 10 s`,
    });
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
  }

  async #remoteAnswer(path: string, question: HttpQuestion): Promise<HttpAnswer> {
    if (this.#remote >= requestsMax) {
      return refusal(429, {
        reason: 'TooManyRequests', message: `${requestsMax} requests are under way`, next: 'later',
      });
    }
    this.#remote += 1;
    try {
      if (!await this.#reviews.good(question.authorization)) {
        return refusal(401, {
          reason: 'Unauthorized', message: 'a bearer token of audience fairlead-agent is needed',
          next: 'kubectl create token fairlead-viewer --audience fairlead-agent',
        });
      }
      return await answerOf(path, question, { site: this.#order.site(), door: 'loopback' });
    } finally {
      this.#remote -= 1;
    }
  }
}
