import type { WebhookJson } from '../http/webhook-shapes.ts'
import { type Command, noArguments, onlyArgument, parseOptions, UsageError } from './command.ts'
import { connect, connectToExisting } from './connection.ts'
import { formatTable } from './format.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot webhooks [OPTIONS]
       surefoot webhooks resend PREDICTION [OPTIONS]

How webhooks of the newest 100 predictions fare, newest prediction first. "resend" tries a prediction's waiting webhook now,
or sends its dead ones again.

  --dead               Only those whose last try failed
  --all                Those of all tokens, not only what was made without one
  --json               As JSON
${placeUsage}`

const options = {
  ...placeOptions,
  dead: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

/** `surefoot webhooks`: what receivers were told, and telling them again. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const [verb, ...rest] = positionals
    const prediction = readVerb(verb, rest)
    const config = await loadSettings(io, values)
    const place = { config, log: createLog(io.stderr, config.logLevel) }
    // What is sent again is sent by whoever drives predictions.
    const connection = await (prediction === null ? connectToExisting(place) : connect(place))
    try {
      const { client } = connection
      const webhooks = prediction === null ? await client.webhooks(values) : await client.resend(prediction)
      print(io, webhooks, values)
      return 0
    } finally {
      await connection.close()
    }
  },
}

/** The prediction whose webhooks are to be sent again; null where they are to be listed. */
function readVerb(verb: string | undefined, rest: readonly string[]): string | null {
  if (verb === undefined) {
    noArguments(rest)
    return null
  }
  if (verb !== 'resend') throw new UsageError(`"${verb}" is not one of: resend.`)
  return onlyArgument(rest, 'PREDICTION')
}

function print(io: Io, webhooks: readonly WebhookJson[], { json, all }: { json: boolean; all: boolean }): void {
  if (json) say(io.stdout, JSON.stringify(webhooks))
  else if (webhooks.length === 0)
    say(
      io.stdout,
      all ? 'There are no such webhooks.' : 'There are none of what was made without a token; --all shows all.',
    )
  else
    io.stdout.write(
      formatTable([['PREDICTION', 'EVENT', 'STATE', 'TRIES', 'NEXT TRY (UTC)', 'RECEIVER'], ...webhooks.map(toRow)]),
    )
}

/** Receivers by their origin: what follows may be a secret. */
function toRow({ prediction, event, state, tries, next_at, url }: WebhookJson): readonly string[] {
  return [prediction, event, state, `${tries}`, next_at?.slice(0, 19).replace('T', ' ') ?? '', new URL(url).origin]
}
