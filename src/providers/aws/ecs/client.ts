import type * as Sdk from '@aws-sdk/client-ecs'
import type { Io } from '../../contract.ts'
import type { Call } from '../../vendor-api.ts'
import { loadSdk } from '../sdk.ts'
import type { Signer } from '../signer.ts'

/** The calls of ECS that the adapter makes, signed and not yet sent. */
export interface Ecs {
  runTask(input: Sdk.RunTaskCommandInput, io: Io): Promise<Call>
  describeTask(cluster: string, task: string, io: Io): Promise<Call>
  /** Tasks that have not stopped, by whom they were started: the vendor takes no second filter beside this one. */
  listTasks(cluster: string, startedBy: string, io: Io): Promise<Call>
  stopTask(cluster: string, task: string, io: Io): Promise<Call>
  describeCluster(cluster: string, io: Io): Promise<Call>
  describeTaskDefinition(taskDefinition: string, io: Io): Promise<Call>
  describeCapacityProvider(name: string, io: Io): Promise<Call>
}

export function createEcs(signer: Signer): Ecs {
  async function sign(
    { signal }: Io,
    send: (client: Sdk.ECSClient, sdk: typeof Sdk) => Promise<unknown>,
  ): Promise<Call> {
    const sdk = await loadSdk('@aws-sdk/client-ecs', () => import('@aws-sdk/client-ecs'), signal)
    return await signer.sign(config => {
      const client = new sdk.ECSClient(config)
      return { client, send: () => send(client, sdk) }
    }, signal)
  }

  return {
    runTask: (input, io) => sign(io, (client, sdk) => client.send(new sdk.RunTaskCommand(input))),
    describeTask: (cluster, task, io) =>
      sign(io, (client, sdk) => client.send(new sdk.DescribeTasksCommand({ cluster, tasks: [task] }))),
    listTasks: (cluster, startedBy, io) =>
      sign(io, (client, sdk) => client.send(new sdk.ListTasksCommand({ cluster, startedBy }))),
    stopTask: (cluster, task, io) =>
      sign(io, (client, sdk) =>
        client.send(new sdk.StopTaskCommand({ cluster, task, reason: 'Cancelled by Surefoot.' })),
      ),
    describeCluster: (cluster, io) =>
      sign(io, (client, sdk) => client.send(new sdk.DescribeClustersCommand({ clusters: [cluster] }))),
    describeTaskDefinition: (taskDefinition, io) =>
      sign(io, (client, sdk) => client.send(new sdk.DescribeTaskDefinitionCommand({ taskDefinition }))),
    describeCapacityProvider: (name, io) =>
      sign(io, (client, sdk) => client.send(new sdk.DescribeCapacityProvidersCommand({ capacityProviders: [name] }))),
  }
}
