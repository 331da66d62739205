import { Alert, Box, Button, Code, EmptyState, HStack, Link, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Job } from "./api";
import { count, percent } from "./wording";

export const Trouble = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <Alert.Root role="alert" status="error">
    <Alert.Indicator />
    <Alert.Content>
      <Alert.Title>{title}</Alert.Title>
      <Alert.Description whiteSpace="pre-wrap">{children}</Alert.Description>
    </Alert.Content>
  </Alert.Root>
);

export const Nothing = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <EmptyState.Root>
    <EmptyState.Content>
      <EmptyState.Title>{title}</EmptyState.Title>
      <EmptyState.Description maxW="lg" textAlign="center">
        {children}
      </EmptyState.Description>
    </EmptyState.Content>
  </EmptyState.Root>
);

export const NoJobs = () => (
  <Nothing title="No transform jobs yet">
    Run a DAG with a <Code>BatchTransformOperator</Code>, or with <Code>scoring(…)</Code>: each of its jobs is listed
    here from its creation on. A task that ran before this page was installed has to run again.
  </Nothing>
);

/** A page of Airflow. */
export const Within = ({ children, to }: { readonly children: ReactNode; readonly to: string }) => (
  <Link asChild color="fg.info">
    <RouterLink to={to}>{children}</RouterLink>
  </Link>
);

/** A page elsewhere. */
export const Away = ({ children, href, label }: { children: ReactNode; href: string; label: string }) => (
  <Link aria-label={label} color="fg.info" href={href} rel="noopener noreferrer" target="_blank">
    {children}
  </Link>
);

export const AwayLinks = ({ job }: { readonly job: Job }) => {
  const named = { Job: job.links.job, Logs: job.links.logs, Output: job.links.output };
  // The local engine has one page for the job and its output.
  const shown = Object.entries(named).filter(([name, href]) => href !== undefined && (name === "Job" || href !== named.Job));

  return (
    <HStack flexWrap="wrap" gap="0" columnGap="2">
      {shown.map(([name, href]) => (
        <Away href={href ?? ""} key={name} label={`${name} of ${job.job_name}, opens another page`}>
          {name}
        </Away>
      ))}
    </HStack>
  );
};

export function Progress({ job }: { readonly job: Job }) {
  if (job.total === null) {
    return <Text color="fg.muted">–</Text>;
  }
  if (job.done === null) {
    return (
      <Text whiteSpace="nowrap">
        {count(job.total)} {job.total === 1 ? "object" : "objects"}
      </Text>
    );
  }
  return (
    <Box minW="90px">
      <Text whiteSpace="nowrap">
        {count(job.done)} of {count(job.total)}
      </Text>
      <Box aria-hidden bg="bg.emphasized" borderRadius="full" height="4px" overflow="hidden">
        <Box bg="blue.500" height="full" style={{ width: `${percent(job.done, job.total)}%` }} />
      </Box>
    </Box>
  );
}

export const Pages = ({
  of,
  page,
  setPage,
  size,
  what,
}: {
  readonly of: number;
  readonly page: number;
  readonly setPage: (page: number) => void;
  readonly size: number;
  readonly what: string;
}) => (
  <HStack as="nav" aria-label={`Pages of ${what}`} gap="3" justify="flex-end">
    <Text color="fg.muted" fontSize="sm">
      {of === 0 ? `No ${what}` : `${count(page * size + 1)} to ${count(Math.min((page + 1) * size, of))} of ${count(of)} ${what}`}
    </Text>
    <Button disabled={page === 0} onClick={() => setPage(page - 1)} size="xs" variant="outline">
      Previous
    </Button>
    <Button disabled={(page + 1) * size >= of} onClick={() => setPage(page + 1)} size="xs" variant="outline">
      Next
    </Button>
  </HStack>
);
