import { Box, HStack, Text } from "@chakra-ui/react";

import { type Bar, type Phases, whole } from "./phases";
import { duration } from "./wording";

// Told apart by more than colour: what waits for instances is striped, what transforms is solid.
const STRIPES = "repeating-linear-gradient(135deg, var(--chakra-colors-gray-400) 0 2px, transparent 2px 5px)";
const PROVISIONING = {
  backgroundImage: STRIPES,
  borderColor: "gray.400",
  borderWidth: "1px",
};
const TRANSFORM = { bg: "blue.500" };

/** What a bar says to who cannot see it. */
export function spoken(parts: Phases | null): string {
  if (parts === null) {
    return "Not known";
  }
  const provisioning = `${duration(parts.provisioning)} of provisioning`;
  const transform = parts.transform === null ? "no transform yet" : `${duration(parts.transform)} of transform`;

  return `${provisioning}, ${transform}${parts.running ? ", running" : ""}`;
}

export const TimeLine = ({
  bar,
  height = "12px",
  parts,
}: {
  readonly bar: Bar | null;
  readonly height?: string;
  readonly parts: Phases | null;
}) => (
  <Box aria-label={spoken(parts)} height={height} minW="140px" position="relative" role="img" title={spoken(parts)}>
    <Box bg="border" height="1px" insetX="0" position="absolute" top="50%" />
    {bar === null || parts === null ? undefined : (
      <Box
        display="flex"
        height="full"
        minW="3px"
        position="absolute"
        style={{ insetInlineStart: `${Math.min(bar.left, 99)}%`, width: `${bar.provisioning + bar.transform}%` }}
      >
        {parts.provisioning > 0 || parts.transform === null ? (
          <Box
            {...PROVISIONING}
            minW="3px"
            style={{ width: `${(100 * parts.provisioning) / (whole(parts) || 1)}%` }}
          />
        ) : undefined}
        {parts.transform === null ? undefined : (
          <Box {...TRANSFORM} borderEndRadius={parts.running ? "full" : undefined} flex="1" minW="2px" />
        )}
      </Box>
    )}
  </Box>
);

const Swatch = ({ label, look }: { readonly label: string; readonly look: object }) => (
  <HStack gap="1.5">
    <Box {...look} height="12px" width="18px" />
    <Text>{label}</Text>
  </HStack>
);

export const Legend = ({ parts }: { readonly parts?: Phases | null }) => (
  <HStack color="fg.muted" flexWrap="wrap" fontSize="sm" gap="4">
    <Swatch label={parts ? `Provisioning ${duration(parts.provisioning)}` : "Provisioning"} look={PROVISIONING} />
    <Swatch
      label={parts && parts.transform !== null ? `Transform ${duration(parts.transform)}` : "Transform"}
      look={TRANSFORM}
    />
    {parts ? <Text>{duration(whole(parts))} in all</Text> : undefined}
  </HStack>
);
