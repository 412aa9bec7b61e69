import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../kind/lab/lab.ts';
import { podNamespace } from '../../kind/lab/pods.ts';
import { LineProcess } from '../netns/line.ts';
import type { Question, Reply } from './asker.ts';
import type { Held, HolderOrder } from './holder.ts';

/** Where in a lab a client is. */
export interface ClientPlace {
  readonly machine: string;
  /** In a pod of that node. */
  readonly podUid?: string;
}

/** A process in one place of a lab that does what its script does with a question. */
class PlacedProcess<Asked, Answer> {
  #process: LineProcess;
  #waiting = new Map<number, (reply: Answer) => void>();
  #count = 0;

  constructor(lab: Lab, place: ClientPlace, file: string) {
    const machine = lab.machine(place.machine);
    const cgroup = join(machine.cgroup, 'clients');
    mkdirSync(cgroup, { recursive: true });
    const namespace = place.podUid === undefined
      ? machine.plan.namespace : podNamespace(lab.name, place.podUid);
    const script = join(import.meta.dirname, file);
    this.#process = new LineProcess({ namespace, cgroup }, script, '', (line) => {
      const { id, reply } = line as { readonly id: number; readonly reply: Answer };
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
  }

  ask(question: Asked): Promise<Answer> {
    const id = this.#count++;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, question });
    const died = this.#process.exited.then(() => {
      throw new Error(`a client ended: ${this.#process.stderr}`);
    });
    return Promise.race([answer, died]);
  }

  close(): Promise<void> {
    return this.#process.kill();
  }
}

/** Asks Services from a place. */
export class Client extends PlacedProcess<Question, Reply> {
  constructor(lab: Lab, place: ClientPlace) {
    super(lab, place, 'asker.ts');
  }
}

/** Holds connections open from a place. */
export class Holder extends PlacedProcess<HolderOrder, Held> {
  constructor(lab: Lab, place: ClientPlace) {
    super(lab, place, 'holder.ts');
  }
}
