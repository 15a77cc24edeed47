/** Runs asynchronous work on a stream, several at a time, and gives the results in the order of the stream. */

/**
 * `work` runs for at most `limit` items at once; an item is taken from the stream only when there is room for it. When work
 * fails or the consumer stops, no new work is started.
 */
export async function* mapOrdered<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<readonly [Item, Result], void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  const running: { item: Item; result: Promise<Result> }[] = [];
  let ended = false;
  try {
    for (;;) {
      while (!ended && running.length < limit) {
        const next = await iterator.next();
        if (next.done === true) {
          ended = true;
          break;
        }
        const result = work(next.value);
        result.catch(() => {}); // it is awaited in its turn; until then a failure must not end the process
        running.push({ item: next.value, result });
      }
      const first = running.shift();
      if (first === undefined) return;
      yield [first.item, await first.result];
    }
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
    await iterator.return?.(undefined);
  }
}
