import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../kind/lab/lab.ts';
import { podNamespace } from '../../kind/lab/pods.ts';
import { LineProcess } from '../netns/line.ts';
import type { Question, Reply } from './asker.ts';

/** A process in one place of a lab that asks what it is told to. */
export class Client {
  #process: LineProcess;
  #waiting = new Map<number, (reply: Reply) => void>();
  #count = 0;

  constructor(lab: Lab, place: { readonly machine: string; readonly podUid?: string }) {
    const machine = lab.machine(place.machine);
    const cgroup = join(machine.cgroup, 'clients');
    mkdirSync(cgroup, { recursive: true });
    const namespace = place.podUid === undefined
      ? machine.plan.namespace : podNamespace(lab.name, place.podUid);
    const script = join(import.meta.dirname, 'asker.ts');
    this.#process = new LineProcess({ namespace, cgroup }, script, '', (line) => {
      const { id, reply } = line as { readonly id: number; readonly reply: Reply };
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
  }

  ask(question: Question): Promise<Reply> {
    const id = this.#count++;
    const answer = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
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
