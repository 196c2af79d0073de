/**
 * Awaits works that go on side by side: all of them, also where one fails, so that nothing is under way afterwards.
 *
 * @throws what the first of them in the list that failed failed with
 */
export async function together<const T extends readonly unknown[]>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works)
  return await Promise.all(works)
}
