"""`vosmem score`."""

from pathlib import Path

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Score a folder of masks against a folder of ground truth."""
    parser = Parser(
        prog="vosmem score",
        description="J and F of predicted masks as DAVIS scores them, without the first and the last frame.",
        epilog="example: vosmem score DAVIS/Annotations/480p outputs/evaluate/RUN/masks --output scores.json",
    )
    truth = "ground truth: one sub-folder of masks for each sequence"
    predictions = "predictions: folders and files of the same names, or the output of vosmem segment or vosmem evaluate"
    late = "also score objects that appear after the first frame, from the frame after their first mask"
    parser.add_argument("truth", type=Path, metavar="GT_DIR", help=truth)
    parser.add_argument("predictions", type=Path, metavar="PRED_DIR", help=predictions)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write results as JSON, and a CSV next to it")
    parser.add_argument("--merge-objects", action="store_true", help="all ids count as one object (DAVIS-2016)")
    parser.add_argument("--late-objects", action="store_true", help=late)
    parser.add_argument("--num-workers", type=int, default=0, metavar="N", help="threads that share the sequences")
    options = parser.parse_args(arguments)

    from vosmem.errors import InputError
    from vosmem.evaluation.report import results_table, score_results, write_results
    from vosmem.evaluation.scorers import score_folders
    from vosmem.files import unwritable

    if options.num_workers < 0:
        raise InputError(f"--num-workers {options.num_workers} is below 0: use 0 for no additional threads")
    if options.output is not None and options.output.suffix.lower() == ".csv":
        raise InputError(
            f"--output {options.output}: the CSV is written next to the JSON: name the JSON, such as scores.json"
        )
    scores = score_folders(
        options.truth, options.predictions, options.merge_objects, options.num_workers, options.late_objects
    )
    outcome = score_results(scores, {"truth": str(options.truth), "predictions": str(options.predictions)})
    console = plain_console()
    console.print(results_table(outcome, "percent"))
    if options.output is not None:
        try:
            table = write_results(outcome, options.output)
        except OSError as error:
            raise unwritable(error, options.output, "name another --output") from error
        console.print(f"  results    {options.output}\n  table      {table}")
