//! Kernels over all pairs stay within the memory that they say they take. Alone in its file: the peak is the process's.

use sparsewidth::connectivity::Connectivity;
use sparsewidth::data::DataSource;
use sparsewidth::network::{LayerLaw, MaskFamily, WeightLaw};
use sparsewidth::sampled::{SampledNetwork, Sweep, TiledInputs};

/// The largest resident size so far, in bytes; none where the system does not say.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()? * 1024)
}

#[test]
fn a_sweep_takes_no_more_than_it_says() {
    let dimension = 300;
    let values = DataSource::Gaussian { dimension, samples: 3000 }.inputs(0).unwrap().values;
    let inputs = TiledInputs::new(values.view()).unwrap();
    drop(values);
    let network = |rows, p, mask| {
        let connectivity = Connectivity::new(p).unwrap();
        let law = LayerLaw { rows, columns: dimension, connectivity, mask, law: WeightLaw::Gaussian };
        SampledNetwork { law, initialisations: 2 }
    };
    // Dense, in chunks; sparse, several at a time; an exact count.
    let networks = [
        network(5000, 1.0, MaskFamily::Bernoulli),
        network(1500, 0.05, MaskFamily::Bernoulli),
        network(400, 0.2, MaskFamily::ExactCount),
    ];
    let Some(before) = peak() else {
        eprintln!("SKIPPED: this system does not tell a process's peak memory");
        return;
    };
    for megabytes in [90, 250] {
        let sweep = Sweep::new(&inputs, &networks, 3, megabytes << 20).unwrap();
        assert!(sweep.bytes() <= megabytes << 20);
        let found = sweep.run(&|_| {}).unwrap();
        assert!(found.iter().all(|network| network.off_diagonal.iter().all(|value| *value > 0.0)));
        let taken = peak().unwrap() - before;
        eprintln!("{megabytes} MB allowed, {} estimated, {} taken", sweep.bytes() >> 20, taken >> 20);
        assert!(taken <= sweep.bytes(), "{} MB of {} MB", taken >> 20, sweep.bytes() >> 20);
    }
}
