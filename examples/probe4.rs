use sparsewidth::{connectivity::Connectivity, data::DataSource, gram::Pair, masked::*};
fn main() {
    for d in [3usize, 6, 11, 14] {
        let x = DataSource::Gaussian { dimension: d, samples: 3000 }.inputs(99).unwrap().values;
        for scale in [1.0, 5.0, 30.0, 1000.0] {
            for p in [1e-8, 1e-6, 1e-4, 5e-4, 1e-3, 1e-2, 0.05, 0.3] {
                let c = Connectivity::new(p).unwrap();
                let (mut worst, mut over, mut missed, mut terms) = (0.0f64, 0, 0, 0);
                for i in 0..(if d == 14 { 150 } else { 600 }) {
                    let mut a = x.row(2 * i).to_owned();
                    let b = x.row(2 * i + 1).to_owned();
                    a[0] *= scale;
                    let pair = Pair::new(a.view(), b.view()).unwrap();
                    let e = Enumerate::default().moments(&pair, c).unwrap();
                    let q = Quadrature::default().moments(&pair, c).unwrap();
                    terms += q.terms;
                    if !q.within(1e-6) {
                        missed += 1;
                    }
                    for (e, q) in [(e.k1, q.k1), (e.k2, q.k2), (e.shift, q.shift)] {
                        let r = (e.value - q.value).abs() / (e.error.size().unwrap() + q.error.size().unwrap());
                        worst = worst.max(r);
                        if r > 1.0 {
                            over += 1;
                            println!(
                                "OVER d {d} scale {scale} p {p:e} i {i} r {r:.2} exact {:e} found {:e} bound {:?} ebound {:?} scale {:e} {} {}",
                                e.value,
                                q.value,
                                q.error.size().unwrap(),
                                e.error.size().unwrap(),
                                pair.gram().scale(),
                                0,
                                0
                            );
                        }
                    }
                }
                println!("d {d} scale {scale} p {p:e}: worst {worst:.2} over {over} missed {missed} terms {terms}");
            }
        }
    }
}
