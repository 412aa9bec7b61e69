import type { MapDefinition } from '../mapdefinition.ts';

/** PROG_ARRAY: functions by slot, for tail calls. */
export class ProgramMap {
  readonly definition: MapDefinition;
  readonly #functions: Map<number, number>;

  constructor(definition: MapDefinition) {
    this.definition = definition;
    this.#functions = new Map(definition.programs);
  }

  /** The function in a slot; undefined for an empty or absent slot. */
  function(slot: number): number | undefined {
    return this.#functions.get(slot);
  }

  /** Puts a function into a slot below the declared limit, or empties it. */
  set(slot: number, index: number | undefined): void {
    if (index === undefined) this.#functions.delete(slot);
    else if (slot < this.definition.entriesMax) this.#functions.set(slot, index);
  }
}
