import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { readEvents } from './events.ts'
import { askJson, ClientError, type Connection, isPassing } from './request.ts'
import { spread, wait } from './surroundings.ts'

const pollMs = { first: 1_000, most: 15_000, growth: 1.5, hiddenFactor: 4 }
/** How long streams are left alone after one that was none; doubled each time. */
const noStreamMs = { first: 15_000, most: 120_000 }
/** A stream that is cut after so long was one, also where nothing changed meanwhile. */
const lastedMs = 1_000

/**
 * The prediction now and after each change, until it has ended. By its event stream, resumed after each cut. Where there is
 * none, it is asked for: after a second, then ever more seldom while nothing changes, and a stream is tried again later. What
 * passes (no network, 5xx, 429, a sleeping machine) ends nothing; a refusal does, with `ClientError`.
 */
export async function* follow(
  connection: Connection,
  id: string,
  signal?: AbortSignal,
): AsyncGenerator<PredictionJson, void, void> {
  const { surroundings } = connection
  const path = `/v1/predictions/${encodeURIComponent(id)}`
  let shown = ''
  let lastEventId: string | undefined
  let streamAt = 0
  let streamsLost = 0
  let looks = 0

  const isNews = (text: string) => {
    if (text === shown) return false
    shown = text
    looks = 0
    return true
  }

  for (;;) {
    signal?.throwIfAborted()
    if (surroundings.now() >= streamAt) {
      const beganAt = surroundings.now()
      let isStream = false
      let refusal: ClientError | undefined
      try {
        for await (const { name, data, id } of readEvents(connection, `${path}/events`, { signal, lastEventId })) {
          if (name !== 'prediction') continue
          const prediction = JSON.parse(data) as PredictionJson
          isStream = true
          lastEventId = id
          if (isNews(data)) yield prediction
          if (isTerminal(prediction.status)) return
        }
      } catch (cause) {
        signal?.throwIfAborted()
        if (cause instanceof ClientError) refusal = cause
      }
      isStream ||= refusal === undefined && surroundings.now() - beganAt >= lastedMs
      streamsLost = isStream ? 0 : streamsLost + 1
      const leftAloneMs = spread(surroundings, Math.min(noStreamMs.most, noStreamMs.first * 2 ** (streamsLost - 1)))
      streamAt = isStream ? 0 : surroundings.now() + Math.max(refusal?.retryAfterMs ?? 0, leftAloneMs)
    }

    if (shown !== '' || looks > 0) {
      const slower = surroundings.isHidden() ? pollMs.hiddenFactor : 1
      const lookMs = Math.min(pollMs.most, pollMs.first * pollMs.growth ** looks) * slower
      await wait(surroundings, spread(surroundings, lookMs), signal)
    }
    looks++
    try {
      const prediction = await askJson<PredictionJson>(connection, path, { signal })
      if (isNews(JSON.stringify(prediction))) yield prediction
      if (isTerminal(prediction.status)) return
    } catch (error) {
      // An address that never was the gateway's will not become it.
      if (!isPassing(error) || (error.code === 'answer_unreadable' && shown === '')) throw error
      // Where nothing answers, that no stream came tells nothing about streams.
      if (error.status !== 429) streamAt = streamsLost = 0
      if (error.retryAfterMs !== null) await wait(surroundings, error.retryAfterMs, signal)
    }
  }
}
