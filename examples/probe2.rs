use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use sparsewidth::{
    connectivity::Connectivity,
    data::{DataSource, Normalisation},
    masked::Moments,
    network::*,
    sampled::*,
};
use std::time::Instant;
fn main() {
    let data = DataSource::Embedded.inputs(0).unwrap();
    let x = data.normalised(Normalisation::Pixel).unwrap();
    let t = Instant::now();
    let inputs = TiledInputs::new(x.view()).unwrap();
    println!("tiles {:.3}", t.elapsed().as_secs_f64());
    for n in [80usize, 512] {
        for inits in [1, 3] {
            let law = LayerLaw {
                rows: n,
                columns: 784,
                connectivity: Connectivity::new(8.0 / n as f64).unwrap(),
                mask: MaskFamily::Bernoulli,
                law: WeightLaw::Gaussian,
            };
            let sweep = Sweep::new(&inputs, &[SampledNetwork { law, initialisations: inits }], 0, 1 << 30).unwrap();
            let t = Instant::now();
            let f = sweep.run(&|_| {}).unwrap();
            println!(
                "n {n} inits {inits}: {:.3} s, estimate {} MB, {:?}",
                t.elapsed().as_secs_f64(),
                sweep.bytes() >> 20,
                f[0]
            );
        }
        let h = Mat::<f32>::from_fn(n, 10000, |i, j| ((i * 31 + j * 17) % 23) as f32);
        let mut c = Mat::<f32>::zeros(10000, 10000);
        for par in [Par::Seq] {
            for _ in 0..2 {
                let t = Instant::now();
                triangular::matmul(
                    &mut c,
                    BlockStructure::TriangularLower,
                    Accum::Replace,
                    h.transpose(),
                    BlockStructure::Rectangular,
                    &h,
                    BlockStructure::Rectangular,
                    1.0f32,
                    par,
                );
                println!("  faer {par:?}: {:.3} s", t.elapsed().as_secs_f64());
            }
        }
    }
    let _ = Moments;
}
