import { Box, Code, DataList, Heading, HStack, Spinner, Table, Text } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

import { type Job, type JobDetails, jobPath, type Log, type Mapping, Refused, useAsked } from "./api";
import { AwayLinks, Nothing, Pages, Progress, Trouble } from "./parts";
import { bar, isRunning, mayChange, phases, scale } from "./phases";
import { State } from "./state";
import { Legend, TimeLine } from "./TimeLine";
import { bytes, count, duration, moment, money, timeOfDay } from "./wording";
import { useZone } from "./zone";

// Seconds from one look at a running job, and at its log, to the next.
const SOON = 5;
const LOG = 10;

type Place = { readonly dagId?: string; readonly mapIndex?: string; readonly runId?: string; readonly taskId?: string };
type Told = { readonly job: JobDetails; readonly now: string };

const Section = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <Box as="section" display="flex" flexDirection="column" gap="2">
    <Heading as="h2" size="md">
      {title}
    </Heading>
    {children}
  </Box>
);

const facts = (job: JobDetails, zone: string): readonly (readonly [string, string | number | null])[] => [
  ["Model", job.model_name],
  ["Instances", `${job.instance_count} × ${job.instance_type}`],
  ["Input", job.input],
  ["Output", job.output],
  ["Content type", job.content_type],
  ["Created", moment(job.created, zone)],
  ["Started", job.started && moment(job.started, zone)],
  ["Ended", job.ended && moment(job.ended, zone)],
  ["Rows", job.rows === null ? null : count(job.rows)],
  ["Cost so far", job.running_cost === null ? null : money(job.running_cost, job.currency)],
  ["Cost", job.cost === null ? null : money(job.cost, job.currency)],
  ["Instance time", job.instance_seconds === null ? null : duration(job.instance_seconds)],
  ["Attempt", job.attempts > 1 ? job.attempts : null],
  ["Reused", job.reused ? "The job had Completed before this try" : null],
  ["Record", job.record],
  ["ARN", job.job_arn],
];

const Details = ({ told, zone }: { readonly told: Told; readonly zone: string }) => {
  const { job, now } = told;
  const parts = phases(job, now);

  return (
    <>
      <HStack flexWrap="wrap" gap="4" justify="space-between">
        <HStack flexWrap="wrap" gap="3">
          <State state={job.state} />
          <Heading as="h1" size="lg" wordBreak="break-all">
            {job.job_name}
          </Heading>
        </HStack>
        <AwayLinks job={job} />
      </HStack>
      {job.unknown === "" ? undefined : (
        <Trouble title="SageMaker does not tell how the job is">{job.unknown}</Trouble>
      )}
      {job.reason === "" ? undefined : <Trouble title="Why it is no success">{job.reason}</Trouble>}
      <TimeLine bar={bar(job, "length", scale([job], "length", now), now)} height="18px" parts={parts} />
      <HStack flexWrap="wrap" gap="6">
        <Legend parts={parts} />
        <Progress job={job} />
        {job.seconds_left ? (
          <Text color="fg.muted" fontSize="sm">
            about {duration(job.seconds_left)} left
          </Text>
        ) : undefined}
      </HStack>
      <DataList.Root display="grid" gap="3" gridTemplateColumns="repeat(auto-fill, minmax(320px, 1fr))" size="sm">
        {facts(job, zone)
          .filter(([, value]) => value !== null && value !== "")
          .map(([name, value]) => (
            <DataList.Item key={name}>
              <DataList.ItemLabel>{name}</DataList.ItemLabel>
              <DataList.ItemValue wordBreak="break-all">{value}</DataList.ItemValue>
            </DataList.Item>
          ))}
      </DataList.Root>
    </>
  );
};

const written = (pair: Mapping["pairs"][number]): string =>
  pair.written === null ? "Planned" : pair.written ? "Written" : "Missing";

const Inputs = ({ job, path }: { readonly job: JobDetails; readonly path: string }) => {
  const [page, setPage] = useState(0);
  // What a running job is to write does not change, and what an ended one has written neither: until that is on record.
  const of = job.record === null ? job.state : "record";
  const { data, error } = useAsked<Mapping>(`${path}/mapping?page=${page}&of=${of}`, () => null);

  if (error) {
    return <Trouble title="Inputs and outputs cannot be shown">{error.message}</Trouble>;
  }
  if (data === undefined) {
    return <Spinner aria-label="Loading" size="sm" />;
  }
  if (data.total === null) {
    return (
      <Text>
        There are too many to show here ({bytes(data.size ?? 0)}): <Code>{data.uri}</Code>
      </Text>
    );
  }
  if (data.total === 0) {
    return <Text color="fg.muted">Nothing is on record of this job&apos;s inputs.</Text>;
  }
  return (
    <>
      <Text color="fg.muted" fontSize="sm">
        {data.proved ? "As the job's record proves." : "As planned before the job was made; proved once it has ended well."}
      </Text>
      <Table.ScrollArea>
        <Table.Root aria-label="Inputs and outputs" size="sm" striped>
          <Table.Header>
            <Table.Row>
              <Table.ColumnHeader>Input</Table.ColumnHeader>
              <Table.ColumnHeader textAlign="end">Size</Table.ColumnHeader>
              <Table.ColumnHeader>Output</Table.ColumnHeader>
              <Table.ColumnHeader>State</Table.ColumnHeader>
            </Table.Row>
          </Table.Header>
          <Table.Body>
            {data.pairs.map((pair) => (
              <Table.Row key={pair.input}>
                <Table.Cell whiteSpace="normal" wordBreak="break-all">{pair.input}</Table.Cell>
                <Table.Cell textAlign="end" whiteSpace="nowrap">
                  {bytes(pair.size)}
                </Table.Cell>
                <Table.Cell whiteSpace="normal" wordBreak="break-all">{pair.output}</Table.Cell>
                <Table.Cell>{written(pair)}</Table.Cell>
              </Table.Row>
            ))}
          </Table.Body>
        </Table.Root>
      </Table.ScrollArea>
      <Pages of={data.total} page={page} setPage={setPage} size={data.page_size} what="objects" />
    </>
  );
};

const LastLines = ({ job, path, zone }: { readonly job: Job; readonly path: string; readonly zone: string }) => {
  const { data, error } = useAsked<Log>(`${path}/log?of=${job.state}`, () => (isRunning(job) ? LOG : null));

  if (error && data === undefined) {
    return <Trouble title="The log cannot be shown">{error.message}</Trouble>;
  }
  if (data === undefined) {
    return <Spinner aria-label="Loading" size="sm" />;
  }
  return (
    <>
      {data.failed.map((one) => (
        <Trouble key={one.uri} title={one.status === null ? one.uri : `${one.uri}: HTTP ${one.status}`}>
          {one.words}
        </Trouble>
      ))}
      {data.lines.length === 0 ? (
        <Text color="fg.muted">The job has logged nothing yet.</Text>
      ) : (
        <Box
          as="pre"
          aria-label="Last lines of the job's logs"
          aria-live="off"
          bg="bg.subtle"
          borderRadius="md"
          fontFamily="mono"
          fontSize="xs"
          maxH="420px"
          overflow="auto"
          p="3"
          role="log"
          tabIndex={0}
          whiteSpace="pre-wrap"
        >
          {data.lines.map((line, number) => (
            // eslint-disable-next-line react/no-array-index-key -- lines are not told apart by anything else
            <Box key={number} wordBreak="break-all">
              <Box as="span" color="fg.muted" title={line.stream}>
                {timeOfDay(line.time, zone)}
                {line.stream.endsWith("data-log") ? " data-log " : " "}
              </Box>
              {line.text}
            </Box>
          ))}
        </Box>
      )}
    </>
  );
};

const JobOf = ({ path }: { readonly path: string }) => {
  const zone = useZone();
  const { data, error } = useAsked<Told>(path, (told) => (told === undefined || mayChange(told.job) ? SOON : null));

  if (data === undefined) {
    return (
      <Box p="4">
        {error instanceof Refused && error.status === 404 ? (
          <Nothing title="This task has no transform job">
            A task of <Code>BatchTransformOperator</Code> shows its job here, as soon as there is one.
          </Nothing>
        ) : error ? (
          <Trouble title="The job cannot be shown">{error.message}</Trouble>
        ) : (
          <Spinner aria-label="Loading" />
        )}
      </Box>
    );
  }
  return (
    <Box display="flex" flexDirection="column" gap="5" height="100%" overflow="auto" p="4">
      {error ? <Trouble title="This is how the job was">{error.message}</Trouble> : undefined}
      <Details told={data} zone={zone} />
      <Section title="Inputs and outputs">
        <Inputs job={data.job} key={data.job.job_name} path={path} />
      </Section>
      <Section title="Log">
        <LastLines job={data.job} key={data.job.job_name} path={path} zone={zone} />
      </Section>
    </Box>
  );
};

export const JobTab = ({ dagId = "", mapIndex, runId = "", taskId = "" }: Place) => {
  const path = jobPath({ dagId, mapIndex: Number(mapIndex ?? -1), runId, taskId });

  // Airflow keeps the tab where another task instance is chosen: nothing of the one before may stay.
  return <JobOf key={path} path={path} />;
};
