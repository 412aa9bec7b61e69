import { createAgent, createAgentCaches } from '../agent.ts';
import { Migration } from '../bpf/migration.ts';
import { createController } from '../controller.ts';
import { buildObject, type BuildObject } from './node/object.ts';

/**
 * One version of fairlead as a world runs it: the processes of ours and the object that nodes load
 * (simulator.md 5.1). A world takes what it needs of another version from this file in that
 * version's folder, so that neither knows the other's code or layouts.
 */
export interface Build {
  readonly object: BuildObject;
  /** Carries flows over from another layout. */
  readonly Migration: typeof Migration;
  readonly createAgent: typeof createAgent;
  readonly createAgentCaches: typeof createAgentCaches;
  readonly createController: typeof createController;
}

export const build: Build = {
  object: buildObject, Migration, createAgent, createAgentCaches, createController,
};
