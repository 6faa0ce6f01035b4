/** A data build as a Slurm job array, and the merge job that waits for it: elements that failed are reported and run again. */
import { quoted, type SlurmRequest, slurmHead } from "./slurm.ts";

/** A build in parts. */
export interface SlurmArray extends SlurmRequest {
  readonly parts: number;
  /** How often an element is started at most. */
  readonly attempts: number;
  /** Where scripts and outputs lie. */
  readonly folder: string;
  /** The program and its arguments up to the part, which follows as `i/n`. */
  readonly buildPart: readonly string[];
  /** The program that merges; with `--missing n` it prints the parts of n that are not done, as `2,5`. */
  readonly merge: readonly string[];
}

/** The files in `folder`. */
export const slurmArrayFiles = { elements: "elements.sbatch", merge: "merge.sbatch" } as const;

/** The script of the elements: submitted with `--array=1-n`, and again with those that failed. */
export function slurmElementsScript(array: SlurmArray): string {
  return [
    ...slurmHead(array, `${array.folder}/part-%a.out`, ["--requeue"]),
    `exec ${array.buildPart.map(quoted).join(" ")} "$SLURM_ARRAY_TASK_ID/${array.parts}"`,
    "",
  ].join("\n");
}

/**
 * The script of the merge job. It starts when all elements have ended, however they ended (`afterany`), so that one that
 * fails cannot keep it waiting: with `afterok` it would wait for ever. It then asks the parts themselves.
 */
export function slurmMergeScript(array: SlurmArray): string {
  return `${slurmHead(array, `${array.folder}/merge.out`, ["--requeue"]).join("\n")}
folder=${quoted(array.folder)} parts=${array.parts} attempts=${array.attempts} attempt=\${TILTH_ATTEMPT:-1}
build_part=(${array.buildPart.map(quoted).join(" ")})
merge=(${array.merge.map(quoted).join(" ")})

missing=$("\${merge[@]}" --missing "$parts") || exit
if [ -n "$missing" ]; then
  echo "tilth: attempt $attempt of $attempts: of $parts elements these failed: $missing"
  for part in \${missing//,/ }; do
    echo "tilth: the last lines of element $part ($folder/part-$part.out):"
    tail -n 5 "$folder/part-$part.out" | sed 's/^/  /'
  done
  if [ "$attempt" -ge "$attempts" ]; then
    echo "tilth: given up. Once the cause is gone: sbatch --array=$missing $folder/${slurmArrayFiles.elements}, then this script again: sbatch $folder/${slurmArrayFiles.merge}"
    exit 1
  fi
  if array=$(sbatch --parsable --array="$missing" "$folder/${slurmArrayFiles.elements}"); then
    echo "tilth: they run again as job \${array%%;*}"
    TILTH_ATTEMPT=$((attempt + 1)) exec sbatch --dependency=afterany:"\${array%%;*}" "$folder/${slurmArrayFiles.merge}"
  fi
  echo "tilth: no job can be submitted from here: the elements run in this one"
  for part in \${missing//,/ }; do "\${build_part[@]}" "$part/$parts" || exit; done
fi
exec "\${merge[@]}"
`;
}
