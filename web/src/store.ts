/** A value that can be watched. It follows the store contract of Svelte without knowing Svelte. */

export interface Readable<S> {
  get: () => S;
  /** Calls `run` at once and after every change; the function that comes back ends it. */
  subscribe: (run: (value: S) => void) => () => void;
}

export interface Store<S, A> extends Readable<S> {
  dispatch: (action: A) => void;
}

export function createStore<S, A>(initial: S, reduce: (state: S, action: A) => S): Store<S, A> {
  const cell = createCell(initial);
  return {
    get: cell.get,
    subscribe: cell.subscribe,
    dispatch: (action) => cell.set(reduce(cell.get(), action)),
  };
}

export interface Cell<S> extends Readable<S> {
  set: (value: S) => void;
}

export function createCell<S>(initial: S): Cell<S> {
  let value = initial;
  const watchers = new Set<(value: S) => void>();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    subscribe: (run) => {
      watchers.add(run);
      run(value);
      return () => watchers.delete(run);
    },
  };
}
