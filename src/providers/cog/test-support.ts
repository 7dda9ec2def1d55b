import type { ProviderSuite } from '../../testing/describe-provider.ts'
import {
  usualCells,
  withoutFind,
  withoutInlineOutputs,
  withoutSignatures,
  withoutWarming,
} from '../../testing/test-cells.ts'

const noList = "Cog has no list of runs: lost starts are known by a webhook or a kit's hello (emulators/cog)"
const noQueue = { skip: 'Cog has no queue: it takes a run at once or refuses it' }
const noAsking = { skip: 'Cog cannot be asked for a run: a 404 says nothing of it' }
const unsigned = 'Cog signs nothing; the secret in the URL is checked before a webhook is heard (engine)'

/** The contract suite's cells for whoever speaks Cog's API. */
export const cells: ProviderSuite['cells'] = {
  ...usualCells,
  'start: rejected because of a bad token that looks like a missing target': { skip: 'proxies answer 401 for one' },
  'start: rejected with 409': ['create-409'],
  'start: rejected with 422': ['create-422'],
  'start: rejected because an input cannot be uploaded': { skip: 'Cog takes no uploads' },
  ...withoutFind(noList),
  'poll: never a worker': noQueue,
  'poll: never booted': noQueue,
  'poll: progress begins again': { skip: 'Cog begins no run again, and its webhooks skip a fall that does not last' },
  'poll: the vendor gives up booting': noQueue,
  'poll: the worker is taken away': ['worker-crash'],
  'poll: ended by the vendor before it started': noQueue,
  'poll: a last word nobody knows': { skip: 'Cog stamps no end: an unknown last word stays unclear' },
  'poll: 404 just after the start': noAsking,
  'poll: 404 for good': noAsking,
  ...withoutInlineOutputs('What limits an output inside a webhook is our own receiver (http/webhooks)'),
  'output: purged by the vendor': { skip: 'Cog keeps no result: what the webhook told is ours' },
  'cancel: too late': { skip: 'Cog says that it is over ("ended"), and polling could never tell more (index.test.ts)' },
  ...withoutSignatures(unsigned),
  ...withoutWarming('A Cog server is a machine of your own: it is there or it is not'),
}
