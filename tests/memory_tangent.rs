//! Tangent kernels over all pairs stay within the memory that they say they take. Alone in its file: the peak is the
//! process's.

mod program;

use sparsewidth::data::DataSource;
use sparsewidth::kernel::ntk::{Kernel, Tangent};
use sparsewidth::network::{Connectivity, LayerSpec, MaskFamily, WeightDistribution};
use sparsewidth::sampled::{Device, SampledNetwork, Sweep, TiledInputs};

/// The largest resident size so far, in bytes; none where the system does not say.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()? * 1024)
}

#[test]
fn a_sweep_takes_no_more_than_it_says() {
    // Room is counted by thread; this test's figures are for two.
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    let dimension = 300;
    let values = DataSource::Gaussian { dimension, samples: 3000 }.inputs(0).unwrap().values;
    let inputs = TiledInputs::new(values.view()).unwrap();
    let network = |rows, p, mask, initialisations| {
        let connectivity = Connectivity::new(p).unwrap();
        let law = LayerSpec { rows, columns: dimension, connectivity, mask, law: WeightDistribution::Gaussian };
        SampledNetwork { law, initialisations }
    };
    // Dense, in chunks; sparse, several at a time; an exact count; rows of one length; many draws of few units.
    let networks = [
        network(20, 1.0, MaskFamily::Bernoulli, 1),
        network(100, 0.05, MaskFamily::Bernoulli, 2),
        network(50, 0.2, MaskFamily::ExactCount, 1),
        network(100, 0.1, MaskFamily::ConstantFanIn, 1),
        network(2, 0.02, MaskFamily::Bernoulli, 400),
    ];
    let Some(before) = peak() else {
        program::skipped("this system does not tell a process's peak memory");
        return;
    };
    for megabytes in [90, 250] {
        let device = Device::Cpu { memory: megabytes << 20 };
        let sweep = Sweep::of_kernel(&device, &inputs, &networks, Kernel::Ntk(Tangent::Paper), 3).unwrap();
        assert!(sweep.bytes() <= megabytes << 20);
        let found = sweep.run(&|_| {}).unwrap();
        assert!(found.iter().all(|network| network.off_diagonal.iter().all(|value| *value > 0.0)));
        let taken = peak().unwrap() - before;
        eprintln!("{megabytes} MB allowed, {} estimated, {} taken", sweep.bytes() >> 20, taken >> 20);
        assert!(taken <= sweep.bytes(), "{} MB of {} MB", taken >> 20, sweep.bytes() >> 20);
    }
}
