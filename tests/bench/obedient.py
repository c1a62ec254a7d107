"""A load process that only obeys, for the tests of how it is steered: `python -m tests.bench.obedient`."""

from bench.job import SendJob
from bench.steering import END, FENCE, STOP, Steering, main, tell


async def run(job: SendJob, steering: Steering) -> None:
    if job.seed == 13:
        raise ValueError("an unlucky seed")
    tell({"published": job.seed, "connected": len(job.lines), "why": "", "done": False})
    while not steering.said(STOP):
        await steering.wait(5.0)
        if steering.said(FENCE):
            tell({"published": job.seed, "fenced": 1, "why": "still busy", "done": False})
        if steering.said(END):
            return
    tell({"published": job.seed, "why": "", "done": True})


if __name__ == "__main__":
    main(SendJob, run)
