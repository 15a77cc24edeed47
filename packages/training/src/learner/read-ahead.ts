/** Reading one item ahead: the next batch is on its way while a step runs on this one. */

/** The items of `source`, each asked for before the one ahead of it is given out. Ending early ends the source. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const items = source[Symbol.asyncIterator]();
  const ask = (): Promise<IteratorResult<T>> => {
    const item = items.next();
    // A failure is reported when the item is waited for, which may be never.
    item.catch(() => undefined);
    return item;
  };
  try {
    let next = ask();
    for (;;) {
      const item = await next;
      if (item.done === true) return;
      next = ask();
      yield item.value;
    }
  } finally {
    await items.return?.();
  }
}
